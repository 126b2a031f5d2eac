package tls

import (
	"context"
	"errors"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// Report is what `tls status` shows. Its JSON form holds no secret.
type Report struct {
	// Secret is namespace/name.
	Secret string `json:"secret"`
	Found  bool   `json:"found"`
	// Certificate is what the Secret holds; nil if there is none.
	Certificate *acme.Info `json:"certificate,omitempty"`
	// Missing are wanted names that the certificate lacks.
	Missing []string `json:"missing,omitempty"`
	// Source is "acme" for one that we ordered, "import" for one brought along, "cert-manager" or "other".
	Source string `json:"source,omitempty"`
	// Directory and Ordered say where and when it was ordered.
	Directory string    `json:"directory,omitempty"`
	Ordered   time.Time `json:"ordered,omitzero"`
	// Good tells whether it serves the wanted names now: with its own key, within its dates.
	Good bool `json:"good"`
	// RenewAt is when it will be renewed, or should be by whoever maintains it.
	RenewAt time.Time `json:"renewAt,omitzero"`
	Due     bool      `json:"due,omitempty"`
	// Summary is one line for people.
	Summary string `json:"summary"`
	// Next is what `tls issue` would do now.
	Next engine.Change `json:"next"`
}

// Status looks at the certificate and writes nothing. A zero time means now.
func Status(ctx context.Context, env stage.Env, now time.Time) (Report, error) {
	o := Options{}
	if !now.IsZero() {
		o.Now = func() time.Time { return now }
	}
	var resource engine.Resource[Seen] = newOrdered(env, o)
	if env.Platform.TLS.Existing() {
		resource = newMaintained(env, o)
	}
	place, names := newBase(env, o).place, env.Platform.CertificateNames()
	seen, err := resource.Observe(ctx)
	var notYet *engine.NotYetError
	if errors.As(err, &notYet) {
		return Report{Secret: place.String(), Summary: "there is none", Next: engine.Change{Action: engine.Create, After: notYet.After}}, nil
	}
	if err != nil {
		return Report{}, err
	}
	return report(place, names, seen, resource.Plan(seen)), nil
}

func report(p place, names []string, seen Seen, next engine.Change) Report {
	h := seen.Held
	r := Report{Secret: p.String(), Found: h.Exists, Next: next, Directory: h.Directory, Ordered: h.Ordered.Truncate(time.Second)}
	switch {
	case !h.Exists:
		r.Summary = "there is none"
		return r
	case h.Broken != "":
		r.Source, r.Summary = h.source(), "not a certificate: "+h.Broken
		return r
	}
	r.Source, r.Certificate, r.Missing = h.source(), &h.Info, h.Info.Missing(names)
	r.RenewAt, r.Summary = acme.RenewAt(h.Info), describe(h.Info, seen.Now)
	r.Due, _ = acme.Due(h.Info, seen.Now)
	r.Good = h.good(names, seen.Now)
	if !h.Info.KeyMatches {
		r.Summary += "; the key in the Secret does not belong to it"
	}
	return r
}

// source tells who put the certificate there.
func (h Held) source() string {
	switch {
	case h.CertManager:
		return "cert-manager"
	case h.Ours && h.Directory != "":
		return "acme"
	case h.Ours && !h.Imported.IsZero():
		return "import"
	default:
		return "other"
	}
}
