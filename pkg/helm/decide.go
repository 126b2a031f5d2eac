package helm

import (
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/release"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// decide compares what is wanted of a release with what was seen. It is pure; the first rule that says something wins.
func decide(r Release, seen *Seen) engine.Change {
	change := compare(r, seen)
	switch {
	case !change.Action.Writes():
		return change
	case !fits(r.Chart.Version, r.Versions):
		return engine.Change{Action: engine.Blocked,
			Why: fmt.Sprintf("chart %s %s is outside %s, for which the values are written: it would ignore some of them", r.Chart.Name, r.Chart.Version, r.Versions),
			Fix: fmt.Sprintf("name a version within %s under charts.%s, or give it no value (`version: null`) for the one of the profile", r.Versions, r.Chart.Name)}
	case seen.ChartErr != nil:
		return chartBlocked(seen.ChartErr)
	}
	return change
}

func compare(r Release, seen *Seen) engine.Change {
	stored := seen.Stored
	switch {
	case stored == nil:
		return engine.Change{Action: engine.Create}
	case seen.Busy != "":
		return engine.Change{Action: engine.Pending, Why: seen.Busy}
	case stored.Status == string(release.StatusUninstalled):
		return engine.Change{Action: engine.Create, Why: fmt.Sprintf("it was uninstalled and its history kept (revision %d)", stored.Revision)}
	case stored.Party != "" && doing(stored) != "":
		return engine.Change{Action: engine.Blocked,
			Why: fmt.Sprintf("a run of another party has it %s (revision %d)", stored.Status, stored.Revision),
			Fix: fmt.Sprintf("wait until that run ends; if no one is at work any more: `helm -n %s rollback %s`", r.Namespace, r.Name)}
	case stored.Status == string(release.StatusUninstalling):
		return engine.Change{Action: engine.Replace, Why: fmt.Sprintf("a run that was cut off left it half uninstalled (revision %d): that is finished first", stored.Revision)}
	}
	if stored.Party != "" {
		if why, fix := unadoptable(r, seen); why != "" {
			return engine.Change{Action: engine.Blocked, Why: why, Fix: fix}
		}
	}
	change := differences(r, seen)
	if why := unfinished(stored); why != "" {
		change.Action, change.Why = engine.Configure, why
		return change
	}
	if change.Action == engine.Unchanged && len(seen.Drift.Fields) > 0 {
		return engine.Change{Action: engine.Configure, Why: "changed by hand since", Fields: seen.Drift.Fields}
	}
	return change
}

func (s *Stored) chart() string { return s.ChartName + " " + s.ChartVersion }

// doing is what a run does to a release that it has not finished; empty for a finished one.
func doing(stored *Stored) string {
	switch release.Status(stored.Status) {
	case release.StatusPendingInstall:
		return "installed"
	case release.StatusPendingUpgrade:
		return "upgraded"
	case release.StatusPendingRollback:
		return "rolled back"
	case release.StatusUninstalling:
		return "removed"
	}
	return ""
}

// unfinished says why a release that has a revision is not a deployed one; empty for a deployed one.
func unfinished(stored *Stored) string {
	status := release.Status(stored.Status)
	switch {
	case status == release.StatusDeployed:
		return ""
	case status.IsPending():
		return fmt.Sprintf("a run that was cut off left it %s (revision %d)", status, stored.Revision)
	case status == release.StatusFailed:
		return fmt.Sprintf("the last run failed (revision %d): %s", stored.Revision, oneLine(stored.Description))
	}
	return fmt.Sprintf("no revision of it is deployed; the newest is %s (revision %d)", status, stored.Revision)
}

// differences compares chart, then values, then who made it.
func differences(r Release, seen *Seen) engine.Change {
	stored := seen.Stored
	change := chartChange(r, stored, seen.Digest)
	if values := valueFields(stored.Values, seen.Values); len(values) > 0 {
		change.Action = engine.Configure
		change.Fields = append(change.Fields, values...)
	}
	switch {
	case stored.Party != "":
		change.Action = engine.Configure
		change.Why = strings.TrimPrefix(change.Why+"; installed by "+stored.Party+", taken over", "; ")
		change.Adopts = adoption(r, seen, change.Fields)
	case seen.Unrecorded && lost(seen, change.Fields) != "":
		change.Risk = strings.TrimPrefix(change.Risk+"; the cluster has no record of this datalab, and of what is set there this is lost: "+lost(seen, change.Fields), "; ")
	}
	return change
}

func chartChange(r Release, stored *Stored, digest string) engine.Change {
	from, to := stored.ChartVersion, r.Chart.Version
	change := engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: "chart", From: stored.chart(), To: r.Chart.Name + " " + to}}}
	switch {
	case stored.ChartName != r.Chart.Name:
		change.Why = "another chart takes its place"
		change.Risk = fmt.Sprintf("what chart %s made is deleted, also what it holds unless its templates say keep", stored.ChartName)
	case !sameVersion(from, to):
		change.Why, change.Risk = versionChange(from, to)
	case digest != "" && stored.ChartSHA256 != "" && stored.ChartSHA256 != shortDigest(digest):
		change.Why = "the chart has the same version but other content"
		change.Fields = []engine.Field{{Path: "chart.sha256", From: stored.ChartSHA256, To: shortDigest(digest)}}
	default:
		return engine.Change{Action: engine.Unchanged}
	}
	return change
}

func versionChange(from, to string) (why, risk string) {
	switch {
	case downgrade(from, to):
		return fmt.Sprintf("chart goes back from %s to %s", from, to),
			fmt.Sprintf("what version %s of the chart wrote may not be readable by %s", from, to)
	case majorJump(from, to):
		return fmt.Sprintf("chart goes to a new major version, from %s to %s", from, to), ""
	}
	return "", ""
}

func chartBlocked(err error) engine.Change {
	change := engine.Change{Action: engine.Blocked, Why: err.Error()}
	var chartErr *ChartError
	if errors.As(err, &chartErr) {
		change.Why, change.Fix = chartErr.why(), chartErr.Fix
	}
	return change
}
