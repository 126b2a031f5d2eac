package stage

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

// Note is a ConfigMap beside the installation's record, in which a stage remembers for which configuration something was
// shown to work that is too dear to be shown at each run.
type Note struct {
	Kube      *kube.Client
	Namespace string
	Name      string
}

// NewNote is the note of that name of a datalab.
func NewNote(env Env, name string) Note {
	return Note{Kube: env.Kube, Namespace: env.Platform.Namespace(), Name: name}
}

// Read gives what it says; nil when it is not there.
func (n Note) Read(ctx context.Context) (map[string]string, error) {
	found, err := n.Kube.Clientset.CoreV1().ConfigMaps(n.Namespace).Get(ctx, n.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, kube.Explain(err)
	}
	return found.Data, nil
}

// Write makes it say this.
func (n Note) Write(ctx context.Context, says map[string]string) error {
	body, err := json.Marshal(corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: map[string]string{kube.ManagedByLabel: kube.FieldManager}},
		Data:       says,
	})
	if err != nil {
		return err
	}
	force := true
	_, err = n.Kube.Clientset.CoreV1().ConfigMaps(n.Namespace).Patch(ctx, n.Name, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: kube.FieldManager, Force: &force})
	return kube.Explain(err)
}

// Remove takes it away; that it is not there is no error.
func (n Note) Remove(ctx context.Context) error {
	err := n.Kube.Clientset.CoreV1().ConfigMaps(n.Namespace).Delete(ctx, n.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("configmap %s/%s: %w", n.Namespace, n.Name, kube.Explain(err))
	}
	return nil
}
