package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// KeycloakBootstrapSecret holds the administrator of a Keycloak that we install, KeycloakBootstrapUser.
const (
	KeycloakBootstrapSecret = "keycloak-bootstrap"
	KeycloakBootstrapUser   = "onyxia-bootstrap"
)

// refusedAnnotation on the Secret of the service account names the version of the administrator's Secret that Keycloak has
// refused, and our service account in the database that refused it. Each further try would count as a failed login. A database
// that was made anew has made the administrator anew as well, out of the same Secret.
const refusedAnnotation = "kubectl-onyxia/administrator-refused"

// administrator is the Secret with an administrator of realm master: the one that Keycloak made at its first start, or the one
// that auth.credentialsSecret names.
type administrator struct{ namespace, name string }

func administratorOf(p platform.Platform) administrator {
	if named := p.Auth.CredentialsSecret; named != "" {
		namespace, name, _ := strings.Cut(named, "/")
		return administrator{namespace, name}
	}
	return administrator{p.Auth.Namespace, KeycloakBootstrapSecret}
}

// read gives the Secret; its error is *engine.NotYetError if it is not there.
func (a administrator) read(ctx context.Context, client *kube.Client) (*corev1.Secret, error) {
	secret, err := client.Clientset.CoreV1().Secrets(a.namespace).Get(ctx, a.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, &engine.NotYetError{After: engine.ID("secret/" + a.name), Why: fmt.Sprintf("there is no Secret %s/%s with an administrator of Keycloak", a.namespace, a.name)}
	}
	if err != nil {
		return nil, fmt.Errorf("the administrator of Keycloak: %w", kube.Explain(err))
	}
	return secret, nil
}

func (a administrator) credentials(ctx context.Context, client *kube.Client) (keycloak.Credentials, error) {
	secret, err := a.read(ctx, client)
	if err != nil {
		return keycloak.Credentials{}, err
	}
	c := keycloak.Credentials{
		Username: string(secret.Data["username"]), Password: string(secret.Data["password"]),
		ClientID: string(secret.Data["clientId"]), ClientSecret: string(secret.Data["clientSecret"]),
	}
	if c.Username == "" && c.ClientID == "" {
		return c, fmt.Errorf("secret %s/%s has neither username and password nor clientId and clientSecret", a.namespace, a.name)
	}
	return c, nil
}

// Doubts tells which administrators of realm master need not be there. It logs in as one, and not again once that was refused,
// as after RetireBootstrap, until the credentials or the database change.
func (k *Keycloak) Doubts(ctx context.Context) ([]string, error) {
	version, refused, err := k.refusal(ctx)
	var notYet *engine.NotYetError
	if errors.As(err, &notYet) || errors.Is(err, keycloak.ErrCredentials) {
		return nil, nil
	}
	if err != nil || refused == version {
		return nil, err
	}
	doubts, err := k.Account.Doubts(ctx, k.Own)
	if errors.Is(err, keycloak.ErrCredentials) {
		return nil, k.noteRefusal(ctx, version)
	}
	return doubts, err
}

// RetireBootstrap disables the administrator that Keycloak was started with, and notes that there is no login by it any more.
func (k *Keycloak) RetireBootstrap(ctx context.Context) error {
	if err := k.Account.RetireBootstrap(ctx, k.Own); err != nil {
		return err
	}
	version, _, err := k.refusal(ctx)
	if err != nil {
		return err
	}
	return k.noteRefusal(ctx, version)
}

// refusal gives the version of the administrator's Secret with our account's id in the database, and the one that was refused.
func (k *Keycloak) refusal(ctx context.Context) (version, refused string, err error) {
	now, err := k.administrator.read(ctx, k.client)
	if err != nil {
		return "", "", err
	}
	own, err := k.client.Clientset.CoreV1().Secrets(k.Namespace).Get(ctx, KeycloakAccountSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", "", &engine.NotYetError{After: k.Secret.ID()}
	}
	if err != nil {
		return "", "", fmt.Errorf("the service account of Keycloak: %w", kube.Explain(err))
	}
	subject, err := k.Own.Subject(ctx)
	if err != nil {
		return "", "", err
	}
	return strings.Join([]string{string(now.UID), now.ResourceVersion, subject}, "."), own.Annotations[refusedAnnotation], nil
}

func (k *Keycloak) noteRefusal(ctx context.Context, version string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{refusedAnnotation: version}}})
	if err != nil {
		return err
	}
	_, err = k.client.Clientset.CoreV1().Secrets(k.Namespace).Patch(ctx, KeycloakAccountSecret, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: kube.FieldManager})
	if err != nil {
		return fmt.Errorf("note on secret %s/%s: %w", k.Namespace, KeycloakAccountSecret, kube.Explain(err))
	}
	return nil
}
