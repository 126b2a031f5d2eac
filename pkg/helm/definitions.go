package helm

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"helm.sh/helm/v3/pkg/chart"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// How long a new definition may take to be served; Helm waits as long.
const (
	establishTimeout  = time.Minute
	establishInterval = 200 * time.Millisecond
)

// definitions makes the CustomResourceDefinitions of a chart's crds/ that are missing, before anything else. Helm does so
// at the first install only. Those that are there are never changed, because a definition that loses a version or a
// field loses objects; that the chart has others is said. A chart that was installed before is only searched for missing ones.
func (c *Client) definitions(ctx context.Context, ch *chart.Chart, installedBefore bool) error {
	wanted, names := ch.CRDObjects(), []string{}
	for _, file := range wanted {
		names = append(names, crdNames(file.File.Data)...)
	}
	if len(wanted) == 0 {
		return nil
	}
	if installedBefore {
		missing, err := c.missingCRDs(ctx, names)
		if err != nil || len(missing) == 0 {
			return err
		}
	}
	var all []object
	for _, file := range wanted {
		objects, err := parse(string(file.File.Data))
		if err != nil {
			return fmt.Errorf("chart %s: %s: %w", ch.Name(), file.Filename, err)
		}
		all = append(all, objects...)
	}
	other, err := c.define(ctx, all)
	if len(other) > 0 {
		c.warn(fmt.Sprintf("chart %s %s brings other definitions of %s than the cluster has; they are left as they are: "+
			"apply those of the chart by hand (`helm show crds`, then `kubectl apply --server-side -f -`) if something needs them",
			ch.Name(), ch.Metadata.Version, strings.Join(other, ", ")))
	}
	return err
}

// define makes the definitions that are missing and waits until the server serves their kinds. It names those that are
// there with another content.
func (c *Client) define(ctx context.Context, wanted []object) (other []string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, establishTimeout, fmt.Errorf("definitions not served after %s", establishTimeout))
	defer cancel()
	differs := make([]bool, len(wanted))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(concurrentReads)
	for i, want := range wanted {
		group.Go(func() error {
			live, err := c.Kube.Get(inner, want)
			if err != nil {
				return err
			}
			if live != nil {
				differs[i] = olderDefinition(want, live)
			} else if err := c.Kube.Mend(inner, want); err != nil {
				return fmt.Errorf("customresourcedefinition/%s: %w", want.GetName(), err)
			}
			// One that is there may have been made a moment ago, by a run that was cut off.
			return c.established(inner, want)
		})
	}
	err = group.Wait()
	for i, want := range wanted {
		if differs[i] {
			other = append(other, want.GetName())
		}
	}
	if err == nil {
		err = c.served(ctx, wanted)
	}
	return other, err
}

// served waits until discovery names the kinds, which it does a little later than the definition is established, and
// until their objects can be asked for: of a definition that is made anew discovery may still know from before.
func (c *Client) served(ctx context.Context, definitions []object) error {
	for _, crd := range definitions {
		group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		err := poll(ctx, func() (bool, error) {
			mapping, err := c.Kube.Mapper.RESTMapping(schema.GroupKind{Group: group, Kind: kind})
			if meta.IsNoMatchError(err) {
				c.Kube.Mapper.Reset()
				return false, nil
			}
			if err != nil {
				return false, err
			}
			// A user who may not list them learns of missing rights elsewhere.
			_, err = c.Kube.Dynamic.Resource(mapping.Resource).List(ctx, metav1.ListOptions{Limit: 1})
			return !apierrors.IsNotFound(err), nil
		})
		if err != nil {
			return fmt.Errorf("customresourcedefinition/%s: %w", crd.GetName(), err)
		}
	}
	return nil
}

func (c *Client) established(ctx context.Context, crd object) error {
	for {
		live, err := c.Kube.Get(ctx, crd)
		if err != nil {
			return err
		}
		if live != nil && conditionTrue(live, "Established") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("customresourcedefinition/%s: %w", crd.GetName(), context.Cause(ctx))
		case <-time.After(establishInterval):
		}
	}
}

func conditionTrue(u object, kind string) bool {
	conditions, _, err := unstructured.NestedSlice(u.Object, "status", "conditions")
	if err != nil {
		return false
	}
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == kind {
			return m["status"] == "True"
		}
	}
	return false
}

// olderDefinition tells whether the live definition lacks something that the wanted one says. Words for people don't count.
func olderDefinition(want, live object) bool {
	stripped := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": want.GetAPIVersion(), "kind": want.GetKind(),
		"metadata": map[string]any{"name": want.GetName()},
		"spec":     withoutDescriptions(want.Object["spec"]),
	}}
	return len(kube.Differences(stripped, live)) > 0
}

func withoutDescriptions(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			if _, isText := value.(string); key == "description" && isText {
				continue
			}
			out[key] = withoutDescriptions(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = withoutDescriptions(value)
		}
		return out
	}
	return v
}

// crdResource is where definitions live.
func crdResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
}
