package acme

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
)

func TestObtainInterrupted(t *testing.T) {
	dns, elsewhere := acmetest.StartDNS(t), acmetest.StartDNS(t)
	ca := acmetest.Start(t, dns, acmetest.Options{})
	for name, tc := range map[string]struct {
		when    string
		visible bool
	}{
		"after the first record":       {"TXT record _acme-challenge.", true},
		"while waiting for visibility": {"waiting for _acme-challenge.", false},
		"after registering":            {"registered an account", true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			interrupt := errors.New("interrupted by a test")
			said := &transcript{heard: func(line string) {
				if strings.HasPrefix(line, tc.when) {
					cancel(interrupt)
				}
			}}
			order := orderAt(t, ca, dns, said)
			if !tc.visible {
				order.Resolvers, order.port = []string{elsewhere.Addr}, elsewhere.Port()
			}
			var kept Account
			order.Save = func(_ context.Context, a Account) error { kept = a; return nil }
			_, err := Obtain(ctx, order)
			if !errors.Is(err, interrupt) || !strings.Contains(err.Error(), "the same command takes the order up again") {
				t.Errorf("error: %v", err)
			}
			noRecords(t, dns)

			after := orderAt(t, ca, dns, &transcript{})
			after.Account = kept
			if _, err := Obtain(t.Context(), after); err != nil {
				t.Errorf("the next run: %v", err)
			}
			noRecords(t, dns)
		})
	}
}

// A run that was killed leaves its records; the next one has the same order and so takes them away.
func TestObtainAfterKilledRun(t *testing.T) {
	dns, elsewhere := acmetest.StartDNS(t), acmetest.StartDNS(t)
	ca := acmetest.Start(t, dns, acmetest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var values []string
	said := &transcript{heard: func(line string) {
		if strings.HasPrefix(line, "waiting for") {
			values = dns.TXT(t, "_acme-challenge.onyxia.demo.test")
			cancel()
		}
	}}
	order := orderAt(t, ca, dns, said)
	order.Names, order.Resolvers, order.port = bothNames[:1], []string{elsewhere.Addr}, elsewhere.Port()
	var kept Account
	order.Save = func(_ context.Context, a Account) error { kept = a; return nil }
	if _, err := Obtain(ctx, order); err == nil {
		t.Fatal("no error from an interrupted order")
	}
	if len(values) != 1 {
		t.Fatalf("records while waiting: %v", values)
	}
	dns.Add(t, `_acme-challenge.onyxia.demo.test. 60 IN TXT "`+values[0]+`"`)

	next := &transcript{}
	again := orderAt(t, ca, dns, next)
	again.Names, again.Account = bothNames[:1], kept
	if _, err := Obtain(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if next.count("taking up the order") != 1 || next.count("registered") != 0 {
		t.Errorf("said:\n%s", next)
	}
	noRecords(t, dns)
}

// C5 (review of 2026-11): the certificate of an order that was finished was lost when it could not be written. The next run
// has it, with its key and without a new order, until it replaces that very certificate.
func TestC5FinishedOrderIsTakenUp(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca, said := acmetest.Start(t, dns, acmetest.Options{}), &transcript{}
	order := orderAt(t, ca, dns, said)
	order.Names = bothNames[:1]
	order.Save = func(_ context.Context, a Account) error { order.Account = a; return nil }
	lost, err := Obtain(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	found, err := Obtain(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	if found.Info.Serial != lost.Info.Serial || string(found.Key) != string(lost.Key) || said.count("ordered a certificate") != 1 {
		t.Errorf("serial %s after %s, said:\n%s", found.Info.Serial, lost.Info.Serial, said)
	}
	other := order
	other.KeyType = KeyEC384
	if got, err := Obtain(t.Context(), other); err != nil || got.Info.Serial == lost.Info.Serial {
		t.Errorf("another kind of key: %v, %v", got, err)
	}
	order.Account, order.Replaces = found.Account, found.Chain
	if renewed, err := Obtain(t.Context(), order); err != nil || renewed.Info.Serial == lost.Info.Serial {
		t.Errorf("renewal: %v, %v", renewed, err)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", order.Account, *order.Account.Pending, order.Account.Pending), said.String()} {
		if strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("a key is shown: %s", text)
		}
	}
}

// C5: a run that ends between handing in the request and the certificate.
func TestC5EndsWhileTheCertificateIsIssued(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca, said := acmetest.Start(t, dns, acmetest.Options{}), &transcript{}
	order := orderAt(t, ca, dns, said)
	order.Names = bothNames[:1]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	order.Save = func(_ context.Context, a Account) error { order.Account = a; return nil }
	first := order
	first.Progress = func(line string) {
		said.tell(line)
		if strings.HasPrefix(line, "the certificate was issued") {
			cancel()
		}
	}
	got, err := Obtain(ctx, first)
	if err != nil || order.Account.Pending == nil {
		t.Fatalf("%v, %v", got, err)
	}
	again, err := Obtain(t.Context(), order)
	if err != nil || again.Info.Serial != got.Info.Serial {
		t.Errorf("%v, %v", again, err)
	}
}
