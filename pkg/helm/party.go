package helm

import (
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// Others is what has to be known where another party made a release of the same name.
type Others struct {
	// Holds is the data that its server has, in volumes or elsewhere; empty if only its volumes can tell. A release that holds
	// data is adopted only when it is named.
	Holds string
	// Instead says how the datalab uses it as it is.
	Instead string
	// Unfit says why its objects can never become those of the wanted release; nil or empty for no reason.
	Unfit func(objects []*unstructured.Unstructured) string
}

// party is who installed a release, if that was not this datalab; empty for this one. Without any record of it, a release of an
// older version of the plugin may be another datalab's.
func (c *Client) party(labels map[string]string) string {
	of := labels[labelInstallation]
	switch {
	case labels[labelManagedBy] == "":
		return "another party"
	case of != "" && c.Installation != "" && of != c.Installation:
		return kube.FieldManager + " for the datalab in namespace " + of
	case of == "" && c.Unrecorded:
		return kube.FieldManager + " for a datalab that is not recorded in namespace " + c.Installation
	}
	return ""
}

// labels are those of a revision that is about to be written.
func (r *ReleaseResource) labels(stored *Stored, digest string) map[string]string {
	labels := map[string]string{labelManagedBy: kube.FieldManager, labelChartSHA256: shortDigest(digest)}
	if r.client.Installation != "" {
		labels[labelInstallation] = r.client.Installation
	}
	if stored != nil && stored.Party != "" && stored.Status != string(release.StatusUninstalled) {
		labels[labelAdopted] = "true"
	}
	return labels
}

// theirs is what another party's release has that matters before it is taken over.
type theirs struct {
	// Claims are its volumes.
	Claims []string
	// Unfit is why it can never become what is wanted.
	Unfit string
}

func (r *ReleaseResource) theirs(stored *Stored) (theirs, error) {
	if stored == nil || stored.Party == "" {
		return theirs{}, nil
	}
	objects, err := r.client.objects(stored)
	if err != nil {
		return theirs{}, err
	}
	found := theirs{Claims: claims(objects, stored.Namespace)}
	if r.Others.Unfit != nil {
		found.Unfit = r.Others.Unfit(objects)
	}
	return found, nil
}

// claims are the volumes of a release, and the stateful sets that have some.
func claims(objects []object, namespace string) []string {
	var found []string
	for _, u := range objects {
		templates, _, err := unstructured.NestedSlice(u.Object, "spec", "volumeClaimTemplates")
		if u.GetKind() == "PersistentVolumeClaim" || err == nil && len(templates) > 0 {
			found = append(found, label(u, namespace))
		}
	}
	return found
}

// unadoptable says why a release of another party cannot be taken over.
func unadoptable(r Release, seen *Seen) (why, fix string) {
	stored := seen.Stored
	fix = fmt.Sprintf("it is left as it is; %s, or choose another namespace", r.Others.Instead)
	if r.Others.Instead == "" {
		fix = "it is left as it is; choose another namespace"
	}
	switch {
	case stored.ChartName != r.Chart.Name:
		return fmt.Sprintf("a release of that name is there, installed by %s from chart %s", stored.Party, stored.chart()), fix
	case seen.Theirs.Unfit != "":
		return fmt.Sprintf("a release of that name is there, installed by %s: %s", stored.Party, seen.Theirs.Unfit), fix
	}
	return "", ""
}

// adoption is what taking over another party's release means. Fields are the differences between theirs and what is wanted.
func adoption(r Release, seen *Seen, fields []engine.Field) *engine.Adoption {
	stored := seen.Stored
	held := seen.Theirs.Claims
	if r.Others.Holds != "" {
		held = append([]string{r.Others.Holds}, held...)
	}
	return &engine.Adoption{
		What:    fmt.Sprintf("release %s/%s, installed by %s from chart %s (revision %d)", r.Namespace, r.Name, stored.Party, stored.chart(), stored.Revision),
		Lost:    lost(seen, fields),
		Holds:   strings.Join(held, ", "),
		Instead: r.Others.Instead,
	}
}

// lost says what goes of what is set there, by path; the chart is among it if its version changes.
func lost(seen *Seen, fields []engine.Field) string {
	var paths []string
	for _, f := range fields {
		if f.Path == "chart" || f.Path == "chart.sha256" {
			paths = append(paths, fmt.Sprintf("%s %s (becomes %s)", f.Path, f.From, f.To))
		}
	}
	return strings.Join(append(paths, lostValues(seen.Stored.Values, seen.Values)...), ", ")
}
