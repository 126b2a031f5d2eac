package tls

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// AccountSecret keeps the ACME accounts, in Onyxia's namespace: one key for each directory.
const AccountSecret = "onyxia-acme-account"

// accounts reads and writes them.
type accounts struct {
	kube      *kube.Client
	namespace string
}

// accountKey is readable, a valid key of a Secret, and different for each directory.
func accountKey(directory string) string {
	host := "acme"
	if u, err := url.Parse(directory); err == nil && u.Hostname() != "" {
		host = strings.ReplaceAll(u.Hostname(), ":", "-")
	}
	sum := sha256.Sum256([]byte(directory))
	return fmt.Sprintf("%s-%x.json", host, sum[:4])
}

// load returns the account for a directory, the zero value if there is none.
func (a accounts) load(ctx context.Context, directory string) (acme.Account, error) {
	secret, err := a.kube.Clientset.CoreV1().Secrets(a.namespace).Get(ctx, AccountSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return acme.Account{}, nil
	}
	if err != nil {
		return acme.Account{}, fmt.Errorf("read secret %s/%s: %w", a.namespace, AccountSecret, kube.Explain(err))
	}
	text, ok := secret.Data[accountKey(directory)]
	if !ok {
		return acme.Account{}, nil
	}
	var account acme.Account
	if err := json.Unmarshal(text, &account); err != nil {
		return acme.Account{}, fmt.Errorf("secret %s/%s: key %s holds no account; delete that key to have a new account made", a.namespace, AccountSecret, accountKey(directory))
	}
	return account, nil
}

// save keeps an account, also when the run is being stopped: its key may be registered already. Other directories'
// accounts stay.
func (a accounts) save(ctx context.Context, account acme.Account) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	text, err := json.Marshal(account)
	if err != nil {
		return err
	}
	secrets := a.kube.Clientset.CoreV1().Secrets(a.namespace)
	secret, err := secrets.Get(ctx, AccountSecret, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		secret = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: AccountSecret, Labels: map[string]string{kube.ManagedByLabel: kube.FieldManager}},
			Data:       map[string][]byte{accountKey(account.Directory): text},
		}
		_, err = secrets.Create(ctx, secret, metav1.CreateOptions{FieldManager: kube.FieldManager})
	case err == nil:
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		secret.Data[accountKey(account.Directory)] = text
		_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: kube.FieldManager})
	}
	if err != nil {
		return fmt.Errorf("write secret %s/%s: %w", a.namespace, AccountSecret, kube.Explain(err))
	}
	return nil
}

func (a accounts) remove(ctx context.Context) error {
	err := a.kube.Clientset.CoreV1().Secrets(a.namespace).Delete(ctx, AccountSecret, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete secret %s/%s: %w", a.namespace, AccountSecret, kube.Explain(err))
	}
	return nil
}
