package s3

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3/minio"
)

// The namespace goes with the stage only when it holds no volume, and no administrator, without whom a volume is of no use.
func TestNamespaceThatHoldsSomething(t *testing.T) {
	made := map[string]string{kube.ManagedByLabel: kube.FieldManager}
	secret := func(name string, labels map[string]string) func(*testing.T, *lab) {
		return func(t *testing.T, l *lab) {
			object := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
			if _, err := l.cluster.Clientset().CoreV1().Secrets(l.env.Platform.S3.Namespace).Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	volume := func(name string) func(*testing.T, *lab) {
		return func(t *testing.T, l *lab) {
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
			}}
			if _, err := l.cluster.Clientset().CoreV1().PersistentVolumeClaims(l.env.Platform.S3.Namespace).Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		fill func(*testing.T, *lab)
		want engine.Action
		why  string
	}{
		"empty":                     {func(*testing.T, *lab) {}, engine.Delete, ""},
		"what is made anew":         {secret(minio.ClientSecret, made), engine.Delete, ""},
		"what a person put there":   {secret("theirs", nil), engine.Kept, "secret/theirs"},
		"the administrator":         {secret(minio.RootSecret, made), engine.Kept, "secret/" + minio.RootSecret},
		"the volume of one server":  {volume(claimName), engine.Kept, "persistentvolumeclaim/minio-data"},
		"the volume of one of four": {volume(shareName(3)), engine.Kept, "persistentvolumeclaim/export-minio-3"},
		"somebody else's volume":    {volume("theirs"), engine.Kept, "persistentvolumeclaim/theirs"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil)
			list, err := l.site(t).server()
			if err != nil {
				t.Fatal(err)
			}
			run := engine.Run{Steps: list[:1]}
			if _, err := apply(t.Context(), t, run); err != nil {
				t.Fatal(err)
			}
			c.fill(t, l)
			plan, err := run.PlanRemoval(t.Context(), nil)
			if err != nil || len(plan.Steps) != 1 {
				t.Fatalf("%+v, %v", plan, err)
			}
			if got := plan.Steps[0].Change; got.Action != c.want || !strings.Contains(got.Why, c.why) {
				t.Errorf("%+v", got)
			}
		})
	}
}
