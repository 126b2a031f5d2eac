package helm

import (
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// ChartError says that a chart can't be had or isn't the one that was asked for.
type ChartError struct {
	Chart profile.Chart
	// Tried is where it was looked for.
	Tried string
	Err   error
	// Fix is what to do next.
	Fix string
}

func (e *ChartError) Error() string {
	return e.why() + "; " + e.Fix
}

// why is the error without its way out, for the plan, which has a place of its own for that.
func (e *ChartError) why() string {
	return fmt.Sprintf("chart %s %s can't be had: tried %s: %s", e.Chart.Name, e.Chart.Version, e.Tried, e.Err)
}

func (e *ChartError) Unwrap() error { return e.Err }

// DigestError says that a chart's content is not the one that was vouched for.
type DigestError struct {
	// From is the file or address that the content came from.
	From          string
	Wanted, Found string
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("wrong sha256: wanted %s, found %s", e.Wanted, e.Found)
}

// OwnershipError names the objects that keep a release from being installed because they are there and not the release's.
type OwnershipError struct {
	Release, Namespace string
	Objects            []string
}

func (e *OwnershipError) Error() string {
	return fmt.Sprintf("release %s cannot be installed: these objects are there already and belong to no release or another one: %s; "+
		"delete them, or hand each to the release: `kubectl label KIND NAME app.kubernetes.io/managed-by=Helm --overwrite` and "+
		"`kubectl annotate KIND NAME meta.helm.sh/release-name=%s meta.helm.sh/release-namespace=%s --overwrite`, then run again",
		e.Release, strings.Join(e.Objects, ", "), e.Release, e.Namespace)
}

// VolumeError names objects whose removal would lose data that nobody asked to lose.
type VolumeError struct {
	Release string
	// Doing is what would delete them: "removing the release", "the upgrade".
	Doing   string
	Objects []string
}

func (e *VolumeError) Error() string {
	return fmt.Sprintf("release %s: %s would delete %s with what they hold, so nothing was done; "+
		"keep them by the annotation helm.sh/resource-policy: keep in the chart's values, or delete them by hand first if the content may go",
		e.Release, e.Doing, strings.Join(e.Objects, ", "))
}

// HookError says that a job that the chart runs before or after an install did not succeed.
type HookError struct {
	Hook, Reason string
}

func (e *HookError) Error() string {
	return fmt.Sprintf("hook %s of the chart did not succeed: %s", e.Hook, e.Reason)
}
