package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestRunTakesASignedUpdate starts the program with the flags the testbed gives it, and updates it as lego would.
func TestRunTakesASignedUpdate(t *testing.T) {
	const secret = "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiB0aGlzIHBhY2thZ2U="
	file := filepath.Join(t.TempDir(), "tsig.secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{
			"-zone", "demo.test", "-listen", "127.0.0.1:0", "-ns", "192.168.50.1",
			"-tsig-secret-file", file, "-record", "acme.demo.test. 60 IN A 192.168.50.1",
		}, w)
		w.CloseWithError(errors.Join(err, io.EOF))
		done <- err
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimSpace(strings.TrimPrefix(line, "zone demo.test on "))

	m := new(dns.Msg).SetUpdate("demo.test.")
	txt, err := dns.NewRR("_acme-challenge.demo.test. 60 IN TXT proof")
	if err != nil {
		t.Fatal(err)
	}
	m.Insert([]dns.RR{txt})
	m.SetTsig("onyxia.", dns.HmacSHA256, 300, time.Now().Unix())
	// the library's own patience is two seconds
	const patience = time.Minute
	client := &dns.Client{Timeout: patience, TsigSecret: map[string]string{"onyxia.": secret}}
	if reply, _, err := client.ExchangeContext(ctx, m, addr); err != nil || reply.Rcode != dns.RcodeSuccess {
		t.Fatalf("update: %v %v", reply, err)
	}
	for name, want := range map[string]string{"acme.demo.test.": "192.168.50.1", "ns.demo.test.": "192.168.50.1"} {
		reply, _, err := (&dns.Client{Timeout: patience}).ExchangeContext(ctx, new(dns.Msg).SetQuestion(name, dns.TypeA), addr)
		if err != nil || len(reply.Answer) != 1 || !strings.HasSuffix(reply.Answer[0].String(), want) {
			t.Errorf("%s: got %v %v, want %s", name, reply, err, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestParseWantsTheSecretItIsGiven(t *testing.T) {
	_, err := parse([]string{"-tsig-secret-file", filepath.Join(t.TempDir(), "none")})
	if err == nil || !strings.Contains(err.Error(), "secret of key onyxia.") {
		t.Errorf("got %v, want an error that names the key", err)
	}
}
