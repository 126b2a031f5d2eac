package vault

import (
	"context"
	"fmt"
	"io/fs"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// keysEntry is the key in the Secret's data.
const keysEntry = "keys.yaml"

// secretKeeper keeps the document of keys in a Secret. Whoever may read Secrets in that namespace, or the backups of
// etcd, can then open Vault: the seal protects against nobody who has the cluster.
type secretKeeper struct {
	client    *kube.Client
	namespace string
}

// String says where.
func (k *secretKeeper) String() string { return "secret " + k.namespace + "/" + KeysSecret }

// Create makes the Secret, if there is none.
func (k *secretKeeper) Create(ctx context.Context, document []byte) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: KeysSecret, Labels: map[string]string{kube.ManagedByLabel: kube.FieldManager}},
		Data:       map[string][]byte{keysEntry: document},
	}
	_, err := k.client.Clientset.CoreV1().Secrets(k.namespace).Create(ctx, secret, metav1.CreateOptions{FieldManager: kube.FieldManager})
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("%s: %w; it is never overwritten", k, fs.ErrExist)
	}
	return k.explain(err)
}

// Read gives the document.
func (k *secretKeeper) Read(ctx context.Context) ([]byte, error) {
	secret, err := k.client.Clientset.CoreV1().Secrets(k.namespace).Get(ctx, KeysSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("%s: %w", k, fs.ErrNotExist)
	}
	if err != nil {
		return nil, k.explain(err)
	}
	if len(secret.Data[keysEntry]) == 0 {
		return nil, fmt.Errorf("%s has no entry %s: somebody changed it", k, keysEntry)
	}
	return secret.Data[keysEntry], nil
}

// Replace puts another document in its place, unless somebody else has done so meanwhile.
func (k *secretKeeper) Replace(ctx context.Context, document []byte) error {
	secrets := k.client.Clientset.CoreV1().Secrets(k.namespace)
	secret, err := secrets.Get(ctx, KeysSecret, metav1.GetOptions{})
	if err != nil {
		return k.explain(err)
	}
	secret.Data = map[string][]byte{keysEntry: document}
	_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: kube.FieldManager})
	return k.explain(err)
}

func (k *secretKeeper) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", k, kube.Explain(err))
}
