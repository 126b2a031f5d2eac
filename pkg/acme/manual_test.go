package acme

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
)

func TestManual(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca := acmetest.Start(t, dns, acmetest.Options{})
	var kept Account
	ask := func(ctx context.Context, heard func(string)) (*transcript, error) {
		said := &transcript{heard: heard}
		order := orderAt(t, ca, dns, said)
		order.Provider, order.Account = Manual, kept
		order.Save = func(_ context.Context, a Account) error { kept = a; return nil }
		_, err := Obtain(ctx, order)
		return said, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	first, err := ask(ctx, func(line string) {
		if strings.HasPrefix(line, "waiting for") {
			cancel()
		}
	})
	wanted := zoneLines(first.lines)
	if err == nil || len(wanted) != 2 {
		t.Fatalf("first run: %v\n%s", err, first)
	}
	if first.count("may be taken out") != 0 {
		t.Error("an interrupted run says that the records are no longer needed")
	}
	ctx, cancel = context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	second, err := ask(ctx, func(line string) {
		if strings.HasPrefix(line, "waiting for") {
			for _, line := range wanted {
				dns.Add(t, line)
			}
		}
	})
	if err != nil {
		t.Fatalf("second run: %v\n%s", err, second)
	}
	if got := zoneLines(second.lines); !slices.Equal(got, wanted) {
		t.Errorf("the second run asks for other records: %v, not %v", got, wanted)
	}
	if second.count("may be taken out of DNS") != 2 {
		t.Errorf("said:\n%s", second)
	}
}

// zoneLines are the lines that can be pasted into a zone file.
func zoneLines(lines []string) (records []string) {
	for _, line := range lines {
		if strings.HasPrefix(line, "_acme-challenge.") && strings.Contains(line, " IN TXT ") {
			records = append(records, line)
		}
	}
	return records
}
