package tls

import (
	"context"
	"errors"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// hmacVariable holds the HMAC key of an external account binding; with _FILE at its end it names a file that does, as the
// variables of DNS providers.
const hmacVariable = "ACME_EAB_HMAC"

// hmacKey is where a Secret has it.
const hmacKey = "hmac"

// binding is where the external account binding comes from. Only a new account needs it.
type binding struct {
	kube *kube.Client
	eab  platform.EAB
}

// read finds the HMAC key. Without a key identifier there is no binding.
func (b binding) read(ctx context.Context) (acme.EAB, error) {
	if b.eab.Kid == "" {
		return acme.EAB{}, nil
	}
	find := fromEnvironment
	if b.eab.HMACSecret != "" {
		find = func() (string, error) { return b.fromSecret(ctx) }
	}
	hmac, err := find()
	return acme.EAB{KeyID: b.eab.Kid, HMAC: strings.TrimSpace(hmac)}, err
}

func (b binding) fromSecret(ctx context.Context) (string, error) {
	named, err := b.kube.NamedSecret(ctx, "tls.acme.eab.hmacSecret", b.eab.HMACSecret, hmacKey)
	if err != nil {
		return "", err
	}
	return named[hmacKey], nil
}

func fromEnvironment() (string, error) {
	value, err := secret.Variable(hmacVariable)
	if err == nil && value.Empty() {
		return "", errors.New("tls.acme.eab.kid is set, and its HMAC key is not given: export " + hmacVariable + " or " + hmacVariable + "_FILE, or name a Secret by tls.acme.eab.hmacSecret")
	}
	return value.Reveal(), err
}
