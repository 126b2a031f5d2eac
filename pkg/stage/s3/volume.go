package s3

import (
	"context"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// volume is a volume claim of MinIO's namespace.
func (s *site) volume(name string) *kube.Volume {
	return kube.NewVolume(s.env.Kube, s.env.Platform.S3.Namespace, name, "volume "+name+" of MinIO")
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
	found, err := l.site.volume(l.other).Observe(ctx)
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
