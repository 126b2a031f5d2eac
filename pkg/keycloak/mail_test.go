package keycloak

import (
	"bufio"
	"context"
	"encoding/base64"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
)

// mailServer takes mails from those who log in with the password, and keeps them (RFC 5321, RFC 4954).
type mailServer struct {
	port     int
	password string
	mu       sync.Mutex
	mails    []string
}

func newMailServer(t *testing.T, password string) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	m := &mailServer{port: listener.Addr().(*net.TCPAddr).Port, password: password}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m
}

func (m *mailServer) serve(conn net.Conn) {
	defer conn.Close()
	say := func(line string) { _, _ = conn.Write([]byte(line + "\r\n")) }
	say("220 test")
	var text strings.Builder
	in, data, asked := bufio.NewScanner(conn), false, false
	for in.Scan() {
		line := in.Text()
		switch verb, rest, _ := strings.Cut(line, " "); {
		case data && line == ".":
			data = false
			m.mu.Lock()
			m.mails = append(m.mails, text.String())
			m.mu.Unlock()
			say("250 taken")
		case data:
			text.WriteString(line + "\n")
		case asked:
			asked = false
			m.judge(line, say)
		case verb == "EHLO":
			say("250-test")
			say("250 AUTH PLAIN")
		case verb == "AUTH" && rest == "PLAIN":
			asked = true
			say("334 ")
		case verb == "AUTH":
			m.judge(strings.TrimPrefix(rest, "PLAIN "), say)
		case verb == "DATA":
			data = true
			say("354 go on")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (m *mailServer) judge(encoded string, say func(string)) {
	plain, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || !strings.HasSuffix(string(plain), "\x00"+m.password) {
		say("535 no")
		return
	}
	say("235 yes")
}

func (m *mailServer) count() int { m.mu.Lock(); defer m.mu.Unlock(); return len(m.mails) }

// plain is a value that replaces what was there as a whole.
type plain map[string]string

// mail is about the password that Keycloak never shows.
func mail(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	m := newMailServer(t, "right-password")
	l := newLab(server, "mail")
	l.mustUp(ctx, t)
	l.smtp = &SMTP{Host: "127.0.0.1", Port: m.port, From: "datalab@example.org", FromName: "Datalab", Encryption: "none", Username: "datalab", Password: given("wrong-password")}
	l.mustUp(ctx, t)
	err := l.realm.SendTestMail(ctx, "new@example.org")
	expect(t, err != nil && m.count() == 0 && !strings.Contains(err.Error(), "wrong-password") && strings.Contains(err.Error(), "log says why"), "mail with a wrong password: %v, %d taken", err, m.count())

	l.smtp.Password = given("right-password")
	l.expectPlan(ctx, t, "realm.keycloak/mail configure [realm.smtpServer.password  -> ]")
	l.mustUp(ctx, t)
	err = l.realm.SendTestMail(ctx, "new@example.org")
	expect(t, err == nil && m.count() == 1, "mail with the right password: %v, %d taken", err, m.count())
	left, err := l.realm.Users(ctx, "")
	expect(t, err == nil && len(left) == 0, "users left after the test mail: %v %v", left, err)

	_, err = l.realm.AddUser(ctx, NewUser{Name: "holder", Email: "held@example.org"})
	must(t, err)
	for address, words := range map[string]string{"held@example.org": "a mailbox that no user has", "new@evil.org": "auth.emailDomains"} {
		err = l.realm.SendTestMail(ctx, address)
		expect(t, err != nil && strings.Contains(err.Error(), words), "mail to %s: %v", address, err)
	}
	must(t, l.realm.DeleteUser(ctx, "holder"))

	// the password survives a change of anything else
	l.accessed = 10 * time.Minute
	l.mustUp(ctx, t)
	l.smtp.FromName = "Other name"
	l.expectPlan(ctx, t, "realm.keycloak/mail configure [realm.smtpServer.fromDisplayName Datalab -> Other name]")
	l.mustUp(ctx, t)
	err = l.realm.SendTestMail(ctx, "new@example.org")
	expect(t, err == nil && m.count() == 2, "mail after other changes: %v, %d taken", err, m.count())
	l.unchanged(ctx, t)

	// somebody sets the mail server up anew, with the same address: seen, although the password is shown as before
	l.realmByHand(ctx, t, document{"smtpServer": plain{"host": "127.0.0.1", "port": strconv.Itoa(m.port), "from": "datalab@example.org", "fromDisplayName": "Other name",
		"auth": "true", "ssl": "false", "starttls": "false", "user": "datalab", "password": "x"}})
	l.expectPlan(ctx, t, "realm.keycloak/mail configure [realm.smtpServer.password  -> ]")
}
