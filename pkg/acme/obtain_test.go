package acme

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
)

var bothNames = []string{"onyxia.demo.test", "*.lab.demo.test"}

// transcript collects progress lines.
type transcript struct {
	mu    sync.Mutex
	lines []string
	heard func(string)
}

func (s *transcript) tell(line string) {
	s.mu.Lock()
	s.lines = append(s.lines, line)
	s.mu.Unlock()
	if s.heard != nil {
		s.heard(line)
	}
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

func (s *transcript) count(part string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// orderAt makes an order for both names by signed updates.
func orderAt(t *testing.T, ca *acmetest.Authority, dns *acmetest.DNS, said *transcript) Order {
	t.Helper()
	dns.Setenv(t)
	return Order{
		Directory: ca.Directory, CAPEM: ca.CAPEM, Email: "admin@demo.test", Names: bothNames,
		Provider: "rfc2136", Resolvers: []string{dns.Addr}, Progress: said.tell, port: dns.Port(),
	}
}

// noRecords fails if a challenge record is left.
func noRecords(t *testing.T, dns *acmetest.DNS) {
	t.Helper()
	for _, name := range []string{"_acme-challenge.onyxia.demo.test", "_acme-challenge.lab.demo.test"} {
		if left := dns.TXT(t, name); len(left) > 0 {
			t.Errorf("%s still has %v", name, left)
		}
	}
}

func TestObtainBothNamesInOneCertificate(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca, said := acmetest.Start(t, dns, acmetest.Options{}), &transcript{}
	order := orderAt(t, ca, dns, said)
	var kept []Account
	order.Save = func(_ context.Context, a Account) error { kept = append(kept, a); return nil }
	got, err := Obtain(t.Context(), order)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if missing := got.Info.Missing(bothNames); len(missing) > 0 || !got.Info.KeyMatches || !got.Info.Staging || len(got.Info.Chain) != 2 {
		t.Errorf("certificate: %+v", got.Info)
	}
	if len(kept) != 3 {
		t.Fatalf("the account was kept %d times", len(kept))
	}
	if kept[0].URI != "" || kept[1].URI == "" || kept[1].Pending != nil || kept[2].Pending == nil {
		t.Errorf("kept: %v", kept)
	}
	noRecords(t, dns)
}

func TestObtainAgain(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca, said := acmetest.Start(t, dns, acmetest.Options{}), &transcript{}
	order := orderAt(t, ca, dns, said)
	first, err := Obtain(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	again := order
	again.Account, again.Replaces = first.Account, first.Chain
	second, err := Obtain(t.Context(), again)
	if err != nil {
		t.Fatal(err)
	}
	if string(second.Key) == string(first.Key) || second.Account.URI != first.Account.URI || second.Info.Serial == first.Info.Serial {
		t.Error("a second order has to give a new key and certificate for the same account")
	}
	if said.count("registered an account") != 1 || said.count("agreeing to its terms of service") != 1 {
		t.Errorf("said:\n%s", said)
	}
	if !strings.Contains(ca.Log(), "is a replacement of") {
		t.Error("the order did not name the certificate it replaces")
	}

	stranger := order
	stranger.Replaces = second.Chain
	if _, err := Obtain(t.Context(), stranger); err != nil {
		t.Errorf("an order that replaces another account's certificate: %v", err)
	}
}

func TestObtainTwoRecordsAtOneName(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca, said := acmetest.Start(t, dns, acmetest.Options{}), &transcript{}
	order := orderAt(t, ca, dns, said)
	t.Setenv("DNSUPDATE_SEQUENCE_INTERVAL", "1")
	order.Names = []string{"lab.demo.test", "*.lab.demo.test"}
	got, err := Obtain(t.Context(), order)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if missing := got.Info.Missing(order.Names); len(missing) > 0 {
		t.Errorf("lacks %v", missing)
	}
	noRecords(t, dns)
}

// lego v4.35.2 sends a request ten times at most, within 20 seconds: of a quarter that is refused one in a million fails.
func TestObtainWithRefusedNonces(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca, said := acmetest.Start(t, dns, acmetest.Options{RejectNonces: 25}), &transcript{}
	if _, err := Obtain(t.Context(), orderAt(t, ca, dns, said)); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
}

func TestObtainWithExternalAccountBinding(t *testing.T) {
	const hmac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	dns := acmetest.StartDNS(t)
	ca, said := acmetest.Start(t, dns, acmetest.Options{EAB: map[string]string{"kid-1": hmac}}), &transcript{}
	order := orderAt(t, ca, dns, said)
	if _, err := Obtain(t.Context(), order); err == nil || !strings.Contains(err.Error(), "external account binding") {
		t.Errorf("without a binding: %v", err)
	}
	order.EAB = EAB{KeyID: "kid-1", HMAC: hmac}
	if _, err := Obtain(t.Context(), order); err != nil {
		t.Errorf("with a binding: %v", err)
	}
	order.EAB.KeyID = "kid-2"
	if _, err := Obtain(t.Context(), order); err == nil || strings.Contains(err.Error(), hmac) {
		t.Errorf("with a foreign binding: %v", err)
	}
}

// An authority that lost its accounts, as Pebble does at each start, gets ours again.
func TestObtainWithForgottenAccount(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca, said := acmetest.Start(t, dns, acmetest.Options{}), &transcript{}
	order := orderAt(t, ca, dns, said)
	_, key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	order.Account = Account{Directory: ca.Directory, Key: key, URI: strings.TrimSuffix(ca.Directory, "dir") + "my-account/0000"}
	got, err := Obtain(t.Context(), order)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if got.Account.Key != key || !strings.Contains(said.String(), "registering it again") {
		t.Errorf("said:\n%s", said)
	}
}

// Missing credentials are told before the authority hears of anything.
func TestObtainWithoutCredentialsAsksNobody(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca := acmetest.Start(t, dns, acmetest.Options{})
	order := orderAt(t, ca, dns, &transcript{})
	t.Setenv("DNSUPDATE_NAMESERVER", "")
	before := ca.Requests()
	if _, err := Obtain(t.Context(), order); err == nil || !strings.Contains(err.Error(), "DNSUPDATE_NAMESERVER") {
		t.Errorf("error: %v", err)
	}
	if n := ca.Requests() - before; n != 0 {
		t.Errorf("%d requests", n)
	}
}

// Networks that let DNS out only through their resolvers: then those decide.
func TestObtainWhereNameServersAreOutOfReach(t *testing.T) {
	dns := acmetest.StartHiddenDNS(t)
	ca, said := acmetest.Start(t, dns, acmetest.Options{}), &transcript{}
	order := orderAt(t, ca, dns, said)
	order.port = ""
	if _, err := Obtain(t.Context(), order); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
}

func TestObtainWithEachTypeOfKey(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca, said := acmetest.Start(t, dns, acmetest.Options{}), &transcript{}
	order := orderAt(t, ca, dns, said)
	order.Names = bothNames[:1]
	for given, want := range map[string]string{"": KeyEC256, KeyEC256: KeyEC256, KeyEC384: KeyEC384, KeyRSA2048: KeyRSA2048, KeyRSA4096: KeyRSA4096} {
		order.KeyType = given
		got, err := Obtain(t.Context(), order)
		if err != nil {
			t.Fatalf("%s: %v", given, err)
		}
		if got.Info.Key != want || !got.Info.KeyMatches {
			t.Errorf("%s: %+v", given, got.Info)
		}
		order.Account = got.Account
	}
	order.KeyType = "dsa"
	if _, err := Obtain(t.Context(), order); err == nil || !strings.Contains(err.Error(), `no key type "dsa"`) {
		t.Errorf("got %v", err)
	}
}

// The authority offers chains to three roots. The preferred one is taken; one that nobody offers is no reason to fail.
func TestObtainWithAPreferredChain(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca, said := acmetest.Start(t, dns, acmetest.Options{Roots: 2}), &transcript{}
	order := orderAt(t, ca, dns, said)
	order.Names = bothNames[:1]
	order.PreferredChain = "Root of Nobody"
	got, err := Obtain(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	_, offer, ok := strings.Cut(said.String(), `no chain that leads to "Root of Nobody" (tls.acme.preferredChain), it offers `)
	if !ok {
		t.Fatalf("said:\n%s", said)
	}
	offer, _, _ = strings.Cut(offer, ":")
	roots := strings.Split(offer, ", ")
	if len(roots) != 3 {
		t.Fatalf("%d chains: %v", len(roots), roots)
	}
	order.Account = got.Account
	for _, root := range roots {
		order.PreferredChain = root
		got, err := Obtain(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := parseCertificates(got.Chain)
		if err != nil || chain[len(chain)-1].Issuer.CommonName != root {
			t.Errorf("%s: leads to %v, %v", root, chain[len(chain)-1].Issuer, err)
		}
	}
}
