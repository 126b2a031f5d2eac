package helm

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"k8s.io/client-go/metadata"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// concurrentReads bounds how many objects of a release are read at once.
const concurrentReads = 16

// Drift is what somebody changed in the cluster since Helm last wrote.
type Drift struct {
	// Fields say what differs: "deployment/onyxia-api: spec.replicas".
	Fields []engine.Field
	// objects are the wanted objects that differ, in Helm's order.
	objects []object
	// crds tells that definitions of the chart's crds/ are missing.
	crds bool
	// live are the objects of the cluster, without those that end by themselves.
	live []object
}

// drift compares every object of a release with the live one, and looks whether the chart's definitions are there.
func (c *Client) drift(ctx context.Context, stored *Stored) (Drift, error) {
	objects, err := c.objects(stored)
	if err != nil {
		return Drift{}, err
	}
	scaled := autoscaled(objects)
	found, live := make([][]engine.Field, len(objects)), make([]object, len(objects))
	var missing []string
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrentReads)
	if len(stored.CRDs) > 0 {
		group.Go(func() (err error) {
			missing, err = c.missingCRDs(ctx, stored.CRDs)
			return err
		})
	}
	for i, want := range objects {
		group.Go(func() (err error) {
			live[i], found[i], err = c.objectDrift(ctx, want, stored.Namespace, scaled)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Drift{}, err
	}
	d := Drift{crds: len(missing) > 0, live: lasting(live)}
	for _, name := range missing {
		d.Fields = append(d.Fields, engine.Field{Path: "customresourcedefinition/" + name, From: "(gone)", To: "(as in the chart)"})
	}
	for i, fields := range found {
		if len(fields) > 0 {
			d.objects = append(d.objects, objects[i])
			d.Fields = append(d.Fields, fields...)
		}
	}
	return d, nil
}

// objectDrift compares one object with the live one, and gives that.
func (c *Client) objectDrift(ctx context.Context, want object, namespace string, scaled map[string]bool) (live object, fields []engine.Field, err error) {
	name := label(want, namespace)
	live, err = c.Kube.Get(ctx, want)
	switch {
	case unknownKind(err):
		return nil, []engine.Field{{Path: name, From: "(the cluster does not know its kind)", To: "(as in the manifest)"}}, nil
	case err != nil:
		return nil, nil, err
	case live == nil && endsByItself(want):
		return nil, nil, nil
	case live == nil:
		return nil, []engine.Field{{Path: name, From: "(gone)", To: "(as in the manifest)"}}, nil
	}
	for _, f := range kube.Differences(want, live) {
		if others(want, f.Path, scaled) {
			continue
		}
		if want.GetKind() == "Secret" {
			f = engine.Field{Path: f.Path, Secret: true}
		}
		f.Path = name + ": " + f.Path
		fields = append(fields, f)
	}
	return live, fields, nil
}

// lasting leaves out what ends by itself, and what is gone.
func lasting(objects []object) []object {
	var rest []object
	for _, u := range objects {
		if u != nil && !endsByItself(u) {
			rest = append(rest, u)
		}
	}
	return rest
}

// unknownKind tells whether the cluster lacks the definition of an object's kind, and so has no such object.
func unknownKind(err error) bool {
	var unknown *kube.UnknownKindError
	return errors.As(err, &unknown)
}

// endsByItself tells objects that the cluster takes away when their work is done.
func endsByItself(u object) bool {
	_, found, err := unstructured.NestedFieldNoCopy(u.Object, "spec", "ttlSecondsAfterFinished")
	return u.GetKind() == "Job" && found && err == nil
}

// autoscaled are the objects whose replicas an autoscaler of the same release sets.
func autoscaled(objects []object) map[string]bool {
	targets := map[string]bool{}
	for _, u := range objects {
		if u.GetKind() != "HorizontalPodAutoscaler" {
			continue
		}
		ref, found, err := unstructured.NestedStringMap(u.Object, "spec", "scaleTargetRef")
		if found && err == nil {
			targets[ref["kind"]+"/"+ref["name"]] = true
		}
	}
	return targets
}

// others tells fields that are in the manifest but that somebody else has the last word on: an autoscaler on replicas,
// a certificate patcher on the CA of a webhook, a person on the size of a volume, which never shrinks.
func others(want object, path string, scaled map[string]bool) bool {
	switch want.GetKind() {
	case "PersistentVolumeClaim":
		return strings.HasPrefix(path, "spec.resources")
	case "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService", "CustomResourceDefinition":
		return strings.HasSuffix(path, "caBundle")
	}
	return path == "spec.replicas" && scaled[want.GetKind()+"/"+want.GetName()]
}

// missingCRDs lists which definitions the cluster lacks. One list of names answers for all.
func (c *Client) missingCRDs(ctx context.Context, names []string) ([]string, error) {
	client, err := metadata.NewForConfig(c.Kube.Config)
	if err != nil {
		return nil, err
	}
	list, err := client.Resource(crdResource()).List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		// Without the right to list them, an object of such a kind that can't be read still tells.
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	there := make([]string, 0, len(list.Items))
	for _, item := range list.Items {
		there = append(there, item.Name)
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(there, name) }), nil
}
