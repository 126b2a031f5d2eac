package s3

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

// stampName is the ConfigMap that says for which configuration the proof was run, beside the installation's record.
const stampName = "s3-proof"

// stamp is that ConfigMap.
type stamp struct {
	client    *kube.Client
	namespace string
}

// read gives what was shown last; the zero value for nothing.
func (s stamp) read(ctx context.Context) (proofSeen, error) {
	found, err := s.client.Clientset.CoreV1().ConfigMaps(s.namespace).Get(ctx, stampName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return proofSeen{}, nil
	}
	if err != nil {
		return proofSeen{}, fmt.Errorf("when s3 was shown to work: %w", kube.Explain(err))
	}
	return proofSeen{Digest: found.Data["configuration"], At: found.Data["shown"]}, nil
}

func (s stamp) write(ctx context.Context, shown proofSeen) error {
	object := corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: stampName, Labels: map[string]string{kube.ManagedByLabel: kube.FieldManager}},
		Data:       map[string]string{"configuration": shown.Digest, "shown": shown.At},
	}
	body, err := json.Marshal(object)
	if err == nil {
		force := true
		_, err = s.client.Clientset.CoreV1().ConfigMaps(s.namespace).Patch(ctx, stampName, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: kube.FieldManager, Force: &force})
	}
	if err != nil {
		return fmt.Errorf("s3 works, but that could not be noted: %w", kube.Explain(err))
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
