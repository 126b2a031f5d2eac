// Package tls is the stage of the one certificate that serves everything: for the Onyxia host and the wildcard below
// the lab domain, ordered over DNS-01, brought along, or maintained by somebody else.
package tls

import (
	"context"
	"fmt"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// Options are what a command wants of the certificate beyond onyxia.yaml.
type Options struct {
	// RenewBefore has a certificate renewed that was ordered before this time: `tls renew` gives the time it was called.
	// The zero time renews only what is due.
	RenewBefore time.Time
	// Bring is a certificate to put in place instead of ordering one: `tls import`.
	Bring *Files
	// Progress is told what an order does, one line at a time. Nil tells Env.Warn, and only what a person has to know.
	Progress func(string)
	// Now is the clock; nil for the real one.
	Now func() time.Time
}

// Stage is the tls stage.
func Stage() stage.Stage { return With(Options{}) }

// With is the tls stage for a command that wants more than `tls issue` does. Its steps have the same names.
func With(o Options) stage.Stage {
	return stage.Stage{
		Name:  "tls",
		Short: "Certificate for the Onyxia host and the wildcard",
		Verb:  "issue",
		Steps: func(_ context.Context, env stage.Env) ([]engine.Step, error) {
			if env.Platform.TLS.Existing() && !o.RenewBefore.IsZero() {
				return nil, fmt.Errorf("tls.mode is existing: whoever maintains secret %s renews it", newBase(env, o).place)
			}
			return steps(env, o), nil
		},
	}
}

func steps(env stage.Env, o Options) []engine.Step {
	needs := []engine.ID{stage.NamespaceID(env.Platform.Namespace())}
	if !env.Platform.Ingress.Existing() {
		needs = append(needs, stage.NamespaceID(env.IngressNamespace()))
	}
	var step engine.Step
	switch {
	case o.Bring != nil:
		step = engine.New(stage.CertificateID, newBrought(env, o), needs...)
	case env.Platform.TLS.Existing():
		step = engine.New(stage.CertificateID, newMaintained(env, o), needs...)
	default:
		step = engine.New(stage.CertificateID, newOrdered(env, o), needs...)
	}
	return []engine.Step{
		step.HoldingData("the certificate, and the key of the ACME account: authorities limit how often one may get new ones"),
		servedStep(env, newBase(env, o)),
	}
}

// base is what the three ways of coming by a certificate share.
type base struct {
	place place
	names []string
	now   func() time.Time
}

func newBase(env stage.Env, o Options) base {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	return base{
		place: place{
			kube: env.Kube, namespace: env.IngressNamespace(), name: env.Platform.TLS.SecretName,
			awaited: !env.Platform.Ingress.Existing(),
		},
		names: env.Platform.CertificateNames(),
		now:   now,
	}
}

// Seen is what is known of the certificate at one moment.
type Seen struct {
	Now  time.Time
	Held Held
	// Hindrance is why no certificate can be ordered now; empty for nothing. It is looked for only when one is needed.
	Hindrance string
	// Unconfigured says that the hindrance is that nobody was named to answer the challenge.
	Unconfigured bool
}

// Remove deletes the Secret, if it is ours.
func (b base) Remove(ctx context.Context) error { return b.place.remove(ctx) }

// Present tells whether there is a certificate, whatever is wanted of it.
func (b base) Present(ctx context.Context) (bool, error) {
	held, err := b.place.read(ctx)
	return held.Exists, ignoreNotYet(err)
}

// RefuseRemoval keeps a certificate that is not ours.
func (b base) RefuseRemoval(ctx context.Context) string {
	held, err := b.place.read(ctx)
	switch {
	case err != nil || !held.Exists:
		return ""
	case !held.Ours:
		return "was not put there by kubectl onyxia"
	}
	return ""
}

// describe sums a certificate up in one line.
func describe(i acme.Info, now time.Time) string {
	_, why := acme.Due(i, now)
	kind := "issued by " + i.Issuer
	switch {
	case i.SelfSigned:
		kind = "self-signed"
	case i.Staging:
		kind += ", for trying out"
	}
	return kind + ", " + why
}
