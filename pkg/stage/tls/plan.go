package tls

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// wanted is what an ordered certificate has to be.
type wanted struct {
	names     []string
	directory string
	// keyType that the certificate's key has to have; empty for any.
	keyType string
	// before has a certificate renewed that was ordered earlier.
	before time.Time
}

// plan compares. It is pure: the clock is part of what was seen.
func (w wanted) plan(s Seen) engine.Change {
	action, why := w.need(s)
	switch {
	case action == engine.Unchanged:
		return engine.Change{Action: action, Why: why}
	case s.Held.CertManager:
		return engine.Change{
			Action: engine.Blocked, Why: why + "; the Secret is written by cert-manager",
			Fix: "set tls.mode to existing and leave the certificate to cert-manager, or name another Secret as tls.secretName",
		}
	case s.Unconfigured && s.Held.good(w.names, s.Now) && w.before.IsZero():
		// A certificate that was brought along still serves. It would be wrong to stop everything else for it.
		return engine.Change{Action: engine.Pending, Why: why, Fix: s.Hindrance}
	case s.Hindrance != "":
		return engine.Change{Action: engine.Blocked, Why: why, Fix: s.Hindrance}
	}
	return engine.Change{Action: action, Why: why, Risk: w.risk(s)}
}

// need tells what has to be done and why.
func (w wanted) need(s Seen) (engine.Action, string) {
	h := s.Held
	if !h.Exists {
		return engine.Create, "for " + strings.Join(w.names, " and ")
	}
	if h.Broken != "" {
		return engine.Configure, "the Secret holds no certificate: " + h.Broken
	}
	missing := h.Info.Missing(w.names)
	due, why := acme.Due(h.Info, s.Now)
	switch {
	case len(missing) > 0:
		return engine.Configure, fmt.Sprintf("names differ: %s missing, it is for %s", strings.Join(missing, ", "), strings.Join(h.Info.Names, ", "))
	case !h.Info.KeyMatches:
		return engine.Configure, "the key in the Secret does not belong to the certificate"
	case h.Directory != "" && h.Directory != w.directory:
		return engine.Configure, fmt.Sprintf("ordered at %s, wanted from %s", h.Directory, w.directory)
	case w.keyType != "" && h.Directory != "" && h.Info.Key != w.keyType:
		return engine.Configure, fmt.Sprintf("its key is %s, wanted is %s", h.Info.Key, w.keyType)
	case due:
		return engine.Configure, why
	case h.Ordered.Before(w.before):
		return engine.Configure, "renewal was asked for; " + why
	}
	return engine.Unchanged, describe(h.Info, s.Now)
}

// risk says what the users would lose by a replacement.
func (w wanted) risk(s Seen) string {
	switch {
	case !s.Held.Exists || s.Held.Ours && !s.Held.usable(s.Now):
		return ""
	case !s.Held.usable(s.Now):
		return "a Secret that another party put there, with a certificate that does not serve, would be overwritten"
	case s.Held.Info.Trusted() && acme.StagingDirectory(w.directory):
		return stagingRisk
	case !s.Held.Ours:
		return "a certificate that somebody else put there, and that is still good, would be overwritten"
	}
	return ""
}

const stagingRisk = "a certificate that browsers trust would give way to one for trying out, which they don't"
