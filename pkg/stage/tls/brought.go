package tls

import (
	"bytes"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// Files are a certificate with its chain, and its key, both in PEM.
type Files struct {
	Certificate, Key []byte
}

// ReadFiles reads them, for instance certbot's fullchain.pem and privkey.pem.
func ReadFiles(certificate, key string) (*Files, error) {
	c, err := secret.ReadFile(certificate)
	if err != nil {
		return nil, fmt.Errorf("the certificate: %w", err)
	}
	k, err := secret.ReadFile(key)
	if err != nil {
		return nil, fmt.Errorf("the key: %w", err)
	}
	return &Files{Certificate: c, Key: k}, nil
}

// brought is a certificate that the admin brings along. It is checked as a whole before anything is written.
type brought struct {
	base
	files Files
}

var _ engine.Resource[Seen] = brought{}

func newBrought(env stage.Env, o Options) brought { return brought{newBase(env, o), *o.Bring} }

// Observe reads the Secret.
func (b brought) Observe(ctx context.Context) (Seen, error) {
	held, err := b.place.read(ctx)
	return Seen{Now: b.now(), Held: held}, err
}

// Plan checks the files and compares them with the Secret.
func (b brought) Plan(s Seen) engine.Change {
	c, err := acme.Import(b.files.Certificate, b.files.Key, b.names, s.Now)
	if err != nil {
		return engine.Change{Action: engine.Blocked, Why: err.Error(), Fix: "nothing was written"}
	}
	why := describe(c.Info, s.Now)
	if len(c.Info.Chain) == 1 && !c.Info.SelfSigned {
		why += "; the file holds no intermediate certificate, without which many clients trust nothing (certbot's fullchain.pem has it)"
	}
	switch h := s.Held; {
	case !h.Exists:
		return engine.Change{Action: engine.Create, Why: why}
	case h.Ours && bytes.Equal(h.chain(), c.Chain) && bytes.Equal(h.secret.Data[corev1.TLSPrivateKeyKey], c.Key):
		return engine.Change{Action: engine.Unchanged, Why: why}
	default:
		return engine.Change{Action: engine.Configure, Why: why, Risk: broughtRisk(h, c.Info, s.Now)}
	}
}

// broughtRisk says what users would lose by the new certificate.
func broughtRisk(h Held, now acme.Info, at time.Time) string {
	switch {
	case !h.usable(at):
		return ""
	case h.Info.Trusted() && !now.Trusted():
		return "a certificate that browsers trust would give way to one that they don't"
	case h.CertManager:
		return "the Secret is written by cert-manager, which would put its own certificate back"
	}
	return ""
}

// Apply writes the certificate.
func (b brought) Apply(ctx context.Context, s Seen) error {
	c, err := acme.Import(b.files.Certificate, b.files.Key, b.names, s.Now)
	if err != nil {
		return err
	}
	return b.place.write(ctx, s.Held, c, map[string]string{importedAnnotation: s.Now.UTC().Format(time.RFC3339)})
}
