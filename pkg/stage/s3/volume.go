package s3

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// readClaim gives a volume claim of MinIO's namespace; nil when it is not there.
func (s *site) readClaim(ctx context.Context, name string) (*corev1.PersistentVolumeClaim, error) {
	found, err := s.env.Kube.Clientset.CoreV1().PersistentVolumeClaims(s.env.Platform.S3.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("volume %s of MinIO: %w", name, kube.Explain(err))
	}
	return found, nil
}

// share is the volume of one of several servers. The StatefulSet makes it and leaves it behind, so that here it is only
// waited for, and removed when it is named.
type share struct {
	site *site
	name string
}

// Observe reads the claim.
func (v *share) Observe(ctx context.Context) (*corev1.PersistentVolumeClaim, error) {
	return v.site.readClaim(ctx, v.name)
}

// Plan tells whether it is there.
func (v *share) Plan(found *corev1.PersistentVolumeClaim) engine.Change {
	if found == nil {
		return engine.Change{Action: engine.Create, Why: "comes with the release"}
	}
	return engine.Change{Action: engine.Unchanged}
}

// Apply has nothing to write.
func (v *share) Apply(context.Context, *corev1.PersistentVolumeClaim) error { return nil }

// Ready waits for the StatefulSet to make it.
func (v *share) Ready(ctx context.Context) (engine.Health, error) {
	found, err := v.Observe(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	if found == nil {
		return engine.Health{Reason: "its StatefulSet has not made it yet"}, nil
	}
	return engine.Health{Ready: true}, nil
}

// Remove deletes the claim; it goes when its pod has gone.
func (v *share) Remove(ctx context.Context) error {
	err := v.site.env.Kube.Clientset.CoreV1().PersistentVolumeClaims(v.site.env.Platform.S3.Namespace).Delete(ctx, v.name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("volume %s of MinIO: %w", v.name, kube.Explain(err))
	}
	return nil
}

// layout looks for the volume of the other way to run MinIO. Each of the two would start empty beside the other's data.
type layout struct {
	site *site
	// other is a volume that must not be there, because it is of the other way.
	other string
	// wanted and found name the two ways.
	wanted, found string
}

func (s *site) layout() *layout {
	if s.distributed() {
		return &layout{site: s, other: claimName, wanted: "several servers", found: "one server"}
	}
	return &layout{site: s, other: shareName(0), wanted: "one server", found: "several servers"}
}

// Observe tells whether it is there.
func (l *layout) Observe(ctx context.Context) (bool, error) {
	found, err := l.site.readClaim(ctx, l.other)
	return found != nil, err
}

// Plan stops where users would find their buckets empty.
func (l *layout) Plan(there bool) engine.Change {
	if !there {
		return engine.Change{Action: engine.Unchanged}
	}
	return engine.Change{
		Action: engine.Blocked,
		Why:    fmt.Sprintf("MinIO was run as %s, whose data is in persistentvolumeclaim/%s, and is now wanted as %s, which would begin empty", l.found, l.other, l.wanted),
		Fix:    fmt.Sprintf("set s3.distributed back; or copy the data away (mc mirror), and delete the volumes of %s", l.found),
	}
}

// Apply has nothing to write.
func (l *layout) Apply(context.Context, bool) error { return nil }
