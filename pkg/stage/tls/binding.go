package tls

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
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
	namespace, name, _ := strings.Cut(b.eab.HMACSecret, "/")
	secret, err := b.kube.Clientset.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "", fmt.Errorf("tls.acme.eab.hmacSecret: there is no secret %s; make it by `kubectl -n %s create secret generic %s --from-file=%s=FILE`", b.eab.HMACSecret, namespace, name, hmacKey)
	case err != nil:
		return "", fmt.Errorf("tls.acme.eab.hmacSecret: %w", kube.Explain(err))
	case len(secret.Data[hmacKey]) == 0:
		return "", fmt.Errorf("tls.acme.eab.hmacSecret: secret %s has no key %q", b.eab.HMACSecret, hmacKey)
	}
	return string(secret.Data[hmacKey]), nil
}

func fromEnvironment() (string, error) {
	if value := os.Getenv(hmacVariable); value != "" {
		return value, nil
	}
	file := os.Getenv(hmacVariable + "_FILE")
	if file == "" {
		return "", errors.New("tls.acme.eab.kid is set, and its HMAC key is not given: export " + hmacVariable + " or " + hmacVariable + "_FILE, or name a Secret by tls.acme.eab.hmacSecret")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", hmacVariable, err)
	}
	return string(text), nil
}
