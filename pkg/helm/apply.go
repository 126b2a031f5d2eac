package helm

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
)

// prepared is what both install and upgrade need.
type prepared struct {
	chart  *chart.Chart
	values map[string]any
	labels map[string]string
	config *action.Configuration
	client *kubeClient
}

// prepare loads the chart, makes its definitions and asks what the server serves now.
func (r *ReleaseResource) prepare(ctx context.Context, seen *Seen) (prepared, error) {
	loaded, digest, err := r.client.load(ctx, r.Chart)
	if err != nil {
		return prepared{}, err
	}
	values, err := plainValues(seen.Values)
	if err != nil {
		return prepared{}, err
	}
	installedBefore := seen.Stored != nil && seen.Stored.ChartSHA256 == shortDigest(digest)
	if err := r.client.definitions(ctx, loaded, installedBefore); err != nil {
		return prepared{}, fmt.Errorf("release %s: %w", r.Name, err)
	}
	config, client, err := r.client.configuration(ctx, r.Name, r.Namespace)
	if err != nil {
		return prepared{}, err
	}
	if config.Capabilities, err = r.client.capabilities(); err != nil {
		return prepared{}, fmt.Errorf("release %s: %w", r.Name, err)
	}
	return prepared{chart: loaded, values: values, labels: r.labels(seen.Stored, digest), config: config, client: client}, nil
}

// install makes the first revision, or the first one after an uninstall that kept the history.
//
// Helm's own way to be interrupted returns at once and leaves its work running behind. Here it isn't told: its requests
// end with the context instead, so that it fails, records that, and returns when it is done.
func (r *ReleaseResource) install(ctx context.Context, seen *Seen, replace bool) error {
	p, err := r.prepare(ctx, seen)
	if err != nil {
		return err
	}
	install := action.NewInstall(p.config)
	install.ReleaseName, install.Namespace = r.Name, r.Namespace
	install.Labels, install.Timeout, install.Replace = p.labels, r.patience, replace
	install.SkipCRDs = true
	_, err = install.RunWithContext(context.WithoutCancel(ctx), p.chart, p.values)
	return r.explain(ctx, p.client, err)
}

// upgrade makes the next revision. ResetValues: without it Helm takes the old values when the new ones are empty.
func (r *ReleaseResource) upgrade(ctx context.Context, seen *Seen) error {
	p, err := r.prepare(ctx, seen)
	if err != nil {
		return err
	}
	upgrade := action.NewUpgrade(p.config)
	upgrade.Namespace, upgrade.Labels, upgrade.Timeout = r.Namespace, p.labels, r.patience
	upgrade.MaxHistory, upgrade.ResetValues = maxHistory, true
	_, err = upgrade.RunWithContext(context.WithoutCancel(ctx), r.Name, p.chart, p.values)
	return r.explain(ctx, p.client, err)
}

// failPending marks a revision that a cut-off run left as pending as failed; Helm refuses to touch it otherwise.
func (r *ReleaseResource) failPending(ctx context.Context, stored *Stored) error {
	switch release.Status(stored.Status) {
	case release.StatusDeployed, release.StatusFailed, release.StatusSuperseded:
		return nil
	}
	config, _, err := r.client.configuration(ctx, r.Name, r.Namespace)
	if err != nil {
		return err
	}
	rel, err := config.Releases.Get(r.Name, stored.Revision)
	if err != nil {
		return fmt.Errorf("release %s: revision %d: %w", r.Name, stored.Revision, err)
	}
	rel.SetStatus(release.StatusFailed, fmt.Sprintf("cut off while %s; taken over", stored.Status))
	if err := config.Releases.Update(rel); err != nil {
		return fmt.Errorf("release %s: revision %d could not be taken over: %w", r.Name, stored.Revision, err)
	}
	return nil
}

// mend puts back what was changed by hand, without a new revision: the manifest is the recorded one.
func (r *ReleaseResource) mend(ctx context.Context, drift Drift) error {
	if drift.crds {
		loaded, _, err := r.client.load(ctx, r.Chart)
		if err != nil {
			return err
		}
		if err := r.client.definitions(ctx, loaded, true); err != nil {
			return fmt.Errorf("release %s: %w", r.Name, err)
		}
	}
	for _, want := range drift.objects {
		r.client.place(want, r.Namespace)
		if err := r.client.Kube.Mend(ctx, want); err != nil {
			return fmt.Errorf("release %s: %s: %w", r.Name, label(want, r.Namespace), r.unchangeable(err))
		}
	}
	return nil
}

// explain makes an error of Helm's one that says what to do.
func (r *ReleaseResource) explain(ctx context.Context, client *kubeClient, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("release %s: interrupted: %w; the next run takes it up from here", r.Name, context.Cause(ctx))
	case strings.Contains(err.Error(), "exists and cannot be imported"):
		return r.ownership(ctx, client, err)
	case strings.Contains(err.Error(), "execution error at ("), strings.Contains(err.Error(), "values don't meet the specifications"):
		return fmt.Errorf("release %s: chart %s %s does not take these values: %w", r.Name, r.Chart.Name, r.Chart.Version, flat{err})
	}
	// Helm turns the errors of hooks and volumes into text before they arrive here; ours come from the client.
	if client.failure != nil {
		return fmt.Errorf("release %s: %w", r.Name, client.failure)
	}
	return fmt.Errorf("release %s: %w", r.Name, r.unchangeable(flat{err}))
}

// ownership names all objects that are in the way; Helm names the first.
func (r *ReleaseResource) ownership(ctx context.Context, client *kubeClient, err error) error {
	result := &OwnershipError{Release: r.Name, Namespace: r.Namespace}
	for _, info := range client.target {
		want, ok := info.Object.(object)
		if !ok {
			continue
		}
		live, e := r.client.Kube.Get(ctx, located(want, info))
		if e != nil {
			return fmt.Errorf("release %s: %w", r.Name, errors.Join(err, e))
		}
		if live != nil && !r.owns(live) {
			result.Objects = append(result.Objects, label(live, r.Namespace))
		}
	}
	return result
}

func (r *ReleaseResource) owns(live object) bool {
	annotations := live.GetAnnotations()
	return live.GetLabels()[labelAppManagedBy] == appManagedByHelm &&
		annotations[annotationReleaseName] == r.Name && annotations[annotationReleaseNamespace] == r.Namespace
}

// unchangeable adds the way out where Kubernetes does not allow a change in place (volumes of a stateful set, selectors).
func (r *ReleaseResource) unchangeable(err error) error {
	match := regexp.MustCompile(`(\w+)(?:\.\w+)? "([^"]+)" is invalid: .*(?:updates to statefulset spec|field is immutable)`).FindStringSubmatch(err.Error())
	if match == nil {
		return err
	}
	return fmt.Errorf("%w; Kubernetes does not allow this change in place: `kubectl -n %s delete %s %s --cascade=orphan` "+
		"(pods and volumes stay), then run again", err, r.Namespace, strings.ToLower(match[1]), match[2])
}

// flat is an error of Helm's, which may run over several lines, in one.
type flat struct{ error }

func (f flat) Error() string { return oneLine(f.error.Error()) }

func (f flat) Unwrap() error { return f.error }

// oneLine makes one line of a text.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
