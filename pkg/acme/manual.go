package acme

import (
	"fmt"
	"time"

	"github.com/go-acme/lego/v4/challenge/dns01"
)

// Manual is the provider that asks a person to enter the records.
const Manual = "manual"

// manual prints records in zone-file form. The wait for them to be visible is the same as for any other provider, only
// longer. A second run takes up the pending order, whose records are the same.
type manual struct {
	tell  func(string)
	asked bool
}

// How long a person may take, and how often the name servers are asked meanwhile.
const (
	manualPatience = 24 * time.Hour
	manualInterval = 5 * time.Second
)

// Present asks for one record.
func (m *manual) Present(domain, _, keyAuth string) error {
	info := dns01.GetChallengeInfo(domain, keyAuth)
	if !m.asked {
		m.asked = true
		m.tell("enter the following into DNS; it is looked for until it is visible everywhere, then the order goes on by itself (Ctrl-C now and the same command later continue here):")
	}
	m.tell(record{fqdn: info.EffectiveFQDN, value: info.Value}.line())
	return nil
}

// CleanUp removes nothing: the records are not ours. It is there for the interface.
func (m *manual) CleanUp(string, string, string) error { return nil }

// release says that a record has done its work.
func (m *manual) release(r record) {
	m.tell(fmt.Sprintf("this record may be taken out of DNS now: %s", r.line()))
}

// Timeout is how long to look for a record and how often.
func (m *manual) Timeout() (timeout, interval time.Duration) { return manualPatience, manualInterval }
