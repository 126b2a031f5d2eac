package auth

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// stampName is the ConfigMap that says for which address the way was tried, beside the installation's record.
const stampName = "auth-reach"

// stamp is that ConfigMap.
type stamp struct {
	client    *kube.Client
	namespace string
}

// note is what it says.
type note struct {
	// Digest stands for an address and authorities; empty when nothing was tried.
	Digest string
	At     string
	// Untold is why it could not be tried; empty when pods got there.
	Untold string
}

func (n note) words() string {
	if n.Untold != "" {
		return "could not be tried at " + n.At + ": " + n.Untold
	}
	return "pods got there at " + n.At
}

// read gives what was tried last; the zero value for nothing.
func (s stamp) read(ctx context.Context) (note, error) {
	found, err := s.client.Clientset.CoreV1().ConfigMaps(s.namespace).Get(ctx, stampName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return note{}, nil
	}
	if err != nil {
		return note{}, fmt.Errorf("when pods were shown to reach the login: %w", kube.Explain(err))
	}
	return note{Digest: found.Data["configuration"], At: found.Data["tried"], Untold: found.Data["untold"]}, nil
}

func (s stamp) write(ctx context.Context, n note) error {
	object := corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: stampName, Labels: map[string]string{kube.ManagedByLabel: kube.FieldManager}},
		Data:       map[string]string{"configuration": n.Digest, "tried": n.At, "untold": n.Untold},
	}
	body, err := json.Marshal(object)
	if err == nil {
		force := true
		_, err = s.client.Clientset.CoreV1().ConfigMaps(s.namespace).Patch(ctx, stampName, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: kube.FieldManager, Force: &force})
	}
	if err != nil {
		return fmt.Errorf("that pods were sent to the login could not be noted: %w", kube.Explain(err))
	}
	return nil
}

func (s stamp) remove(ctx context.Context) error {
	err := s.client.Clientset.CoreV1().ConfigMaps(s.namespace).Delete(ctx, stampName, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("configmap %s/%s: %w", s.namespace, stampName, kube.Explain(err))
	}
	return nil
}
