package tls

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// maintained is a certificate that somebody else renews (tls.mode existing). Nothing is ever written.
type maintained struct{ base }

var _ engine.Resource[Seen] = maintained{}

func newMaintained(env stage.Env, o Options) maintained { return maintained{newBase(env, o)} }

// Observe reads the Secret.
func (m maintained) Observe(ctx context.Context) (Seen, error) {
	held, err := m.place.read(ctx)
	return Seen{Now: m.now(), Held: held}, err
}

// Plan checks that the certificate will do.
func (m maintained) Plan(s Seen) engine.Change {
	h := s.Held
	blocked := func(why string) engine.Change {
		return engine.Change{Action: engine.Blocked, Why: why, Fix: fmt.Sprintf("have whoever maintains secret %s put a certificate for %s there, do it once with `kubectl onyxia tls import`, or set tls.mode to acme", m.place, strings.Join(m.names, " and "))}
	}
	switch {
	case !h.Exists:
		return blocked(fmt.Sprintf("tls.mode is existing, but there is no secret %s", m.place))
	case h.Broken != "":
		return blocked("the Secret holds no certificate: " + h.Broken)
	case len(h.Info.Missing(m.names)) > 0:
		return blocked(fmt.Sprintf("the certificate is for %s and lacks %s", strings.Join(h.Info.Names, ", "), strings.Join(h.Info.Missing(m.names), ", ")))
	case !h.Info.KeyMatches:
		return blocked("the key in the Secret does not belong to the certificate")
	case !h.good(m.names, s.Now):
		return blocked("the certificate is " + describe(h.Info, s.Now))
	}
	return engine.Change{Action: engine.Unchanged, Why: "maintained by somebody else, " + describe(h.Info, s.Now)}
}

// Apply is never called, because Plan never writes.
func (m maintained) Apply(context.Context, Seen) error {
	return errors.New("the certificate is maintained by somebody else (tls.mode existing)")
}
