package acmetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Secret signs the updates of the zone; tests look for it in output.
const Secret = "dGhpcy1pcy1hLXRlc3Qtb25seS1zZWNyZXQ="

// Zone is what the name server answers for.
const Zone = "demo.test"

const keyName = "onyxia."

// DNS is a running name server for Zone that takes signed updates: the testbed's own.
type DNS struct {
	// Addr is host:port, UDP and TCP.
	Addr string
}

// StartDNS starts a name server that ends with the test. It is the authoritative one of its zone, but for the port.
func StartDNS(t testing.TB) *DNS {
	t.Helper()
	return start(t, "127.0.0.1")
}

// StartHiddenDNS starts one whose zone names an authoritative server that cannot be reached, as on networks that let
// DNS out only through their resolvers.
func StartHiddenDNS(t testing.TB) *DNS {
	t.Helper()
	return start(t, "127.53.53.53")
}

func start(t testing.TB, authoritative string) *DNS {
	t.Helper()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte(Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(nameServer(t), "-zone", Zone, "-listen", "127.0.0.1:0", "-ns", authoritative, "-tsig-name", keyName, "-tsig-secret-file", secret)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	spawn(t, server)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the name server does not say where it listens: %v", err)
	}
	_, addr, _ := strings.Cut(strings.TrimSpace(line), " on ")
	return &DNS{Addr: addr}
}

// Port the server listens on.
func (d *DNS) Port() string {
	_, port, _ := strings.Cut(d.Addr, ":")
	return port
}

// Setenv gives lego's provider rfc2136 what it needs for this server, under the names of lego v4.35.2.
func (d *DNS) Setenv(t testing.TB) {
	t.Helper()
	for name, value := range map[string]string{
		"NAMESERVER": d.Addr, "TSIG_KEY": keyName, "TSIG_SECRET": Secret, "TSIG_ALGORITHM": "hmac-sha256.",
		"POLLING_INTERVAL": "1", "PROPAGATION_TIMEOUT": "120",
	} {
		t.Setenv("DNSUPDATE_"+name, value)
	}
}

// unhurried asks over TCP, where nothing is lost, and gives a busy machine the time that it takes.
func unhurried() *dns.Client { return &dns.Client{Net: "tcp", Timeout: patience} }

// TXT reads the values at a name.
func (d *DNS) TXT(t testing.TB, name string) []string {
	t.Helper()
	answer, _, err := unhurried().Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeTXT), d.Addr)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, rr := range answer.Answer {
		if txt, ok := rr.(*dns.TXT); ok {
			values = append(values, strings.Join(txt.Txt, ""))
		}
	}
	return values
}

// Add enters a record, in zone-file form, the way a person would.
func (d *DNS) Add(t testing.TB, line string) {
	t.Helper()
	record, err := dns.NewRR(line)
	if err != nil {
		t.Fatalf("%q is no line of a zone file: %v", line, err)
	}
	update := new(dns.Msg).SetUpdate(dns.Fqdn(Zone))
	update.Insert([]dns.RR{record})
	update.SetTsig(keyName, dns.HmacSHA256, 300, time.Now().Unix())
	client := unhurried()
	client.TsigSecret = map[string]string{keyName: Secret}
	answer, _, err := client.Exchange(update, d.Addr)
	if err == nil && answer.Rcode != dns.RcodeSuccess {
		err = fmt.Errorf("the server answers %s", dns.RcodeToString[answer.Rcode])
	}
	if err != nil {
		t.Fatal(err)
	}
}
