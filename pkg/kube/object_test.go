package kube_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

func paths(fields []engine.Field) (all []string) {
	for _, f := range fields {
		all = append(all, f.Path)
	}
	return all
}

// Each row applies one manifest, then wants another one: the plan names exactly the fields, and applying converges.
func TestObjectFollowsWhatIsWanted(t *testing.T) {
	tests := map[string]struct {
		first, then string
		fields      []string
	}{
		"a label goes, an annotation comes": {
			first:  `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, labels: {a: "1", example.org/b: "2"}}, data: {k: v}}`,
			then:   `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, labels: {a: "1"}, annotations: {c: "3"}}, data: {k: v}}`,
			fields: []string{"metadata.annotations", "metadata.labels[example.org/b]"},
		},
		"a key goes, one changes, one comes": {
			first:  `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {gone.txt: v, changed: v}}`,
			then:   `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {changed: w, new: added}}`,
			fields: []string{"data.changed", "data.new", "data[gone.txt]"},
		},
		"the last key goes": {
			first:  `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: v}}`,
			then:   `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}`,
			fields: []string{"data.a"},
		},
		"a container's image, arguments and variable": {
			first:  deployment(`[{name: a, image: one, args: [x, z], env: [{name: E, value: "1"}, {name: F, value: "2"}]}]`),
			then:   deployment(`[{name: a, image: two, args: [x], env: [{name: E, value: "3"}]}]`),
			fields: []string{"spec.template.spec.containers[a].args", "spec.template.spec.containers[a].env[E].value", "spec.template.spec.containers[a].env[F]", "spec.template.spec.containers[a].image"},
		},
		"a side container goes": {
			first:  deployment(`[{name: a, image: one}, {name: b, image: two, ports: [{containerPort: 80}]}]`),
			then:   deployment(`[{name: a, image: one}]`),
			fields: []string{"spec.template.spec.containers[b]"},
		},
		"a limit in another spelling is no change, a higher one is": {
			first:  deployment(`[{name: a, image: one, resources: {limits: {cpu: 1, memory: 1Gi}}}]`),
			then:   deployment(`[{name: a, image: one, resources: {limits: {cpu: 1000m, memory: 2048Mi}}}]`),
			fields: []string{"spec.template.spec.containers[a].resources.limits.memory"},
		},
		"a port's protocol": {
			first:  `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{name: a, port: 53}, {name: b, port: 53, protocol: UDP}]}}`,
			then:   `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{name: a, port: 53}]}}`,
			fields: []string{"spec.ports[b]"},
		},
		"variables in another order": {
			first:  deployment(`[{name: a, image: one, env: [{name: A, value: "1"}, {name: B, value: $(A)}]}]`),
			then:   deployment(`[{name: a, image: one, env: [{name: B, value: $(A)}, {name: A, value: "1"}]}]`),
			fields: []string{"spec.template.spec.containers[a].env"},
		},
		"an ingress gets another host, which is an atomic list": {
			first:  `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: x}, spec: {rules: [{host: a.example.org}, {host: b.example.org}]}}`,
			then:   `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: x}, spec: {rules: [{host: a.example.org}, {host: c.example.org}]}}`,
			fields: []string{"spec.rules[1].host"},
		},
	}
	_, c, ns := connect(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			first, then := object(t, tt.first, ns), object(t, tt.then, ns)
			o := strings.ToLower(strings.NewReplacer(" ", "-", "'", "", ",", "").Replace(name))
			first.SetName(o)
			then.SetName(o)
			mustApply(t, kube.NewObject(c, kube.Fixed(first)))
			next := kube.NewObject(c, kube.Fixed(then))
			change := plan(t, next)
			wantAction(t, change, engine.Configure)
			if got := paths(change.Fields); !slices.Equal(got, tt.fields) {
				t.Errorf("fields\n got %q\nwant %q", got, tt.fields)
			}
			mustApply(t, next)
			wantAction(t, plan(t, next), engine.Unchanged)
		})
	}
}

func deployment(containers string) string {
	return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: ` + containers + `}}}}`
}

// The health of something that was just observed costs no second request; after a write it is asked for again.
func TestReadyAfterObserve(t *testing.T) {
	cluster, c, ns := connect(t)
	want := object(t, deployment(`[{name: a, image: one}]`), ns)
	o := kube.NewObject(c, kube.Fixed(want))
	ready := func() engine.Health {
		h, err := o.Ready(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	mustApply(t, o)
	if h := ready(); h.Ready {
		t.Errorf("%+v", h)
	}
	cluster.MakeReady(t, "Deployment", ns, "x")
	mark := cluster.Mark(t)
	wantAction(t, plan(t, o), engine.Unchanged)
	if h := ready(); !h.Ready {
		t.Errorf("%+v", h)
	}
	if got := mark.Requests(t); len(got) != 1 {
		t.Errorf("want one GET, got %v", got)
	}
	next := object(t, deployment(`[{name: a, image: two}]`), ns)
	o = kube.NewObject(c, kube.Fixed(next))
	mustApply(t, o)
	if h := ready(); h.Ready {
		t.Error("the health of before the write is told")
	}
}

func TestWhatOthersAddStays(t *testing.T) {
	_, c, ns := connect(t)
	want := object(t, deployment(`[{name: a, image: one, env: [{name: E, value: "1"}]}]`), ns)
	o := kube.NewObject(c, kube.Fixed(want))
	mustApply(t, o)
	edit(t, c, want, func(live map[string]any) {
		set(t, live, "hand", "metadata", "labels", "by")
		set(t, live, int64(3), "spec", "replicas")
		containers, _, _ := unstructured.NestedSlice(live, "spec", "template", "spec", "containers")
		env := containers[0].(map[string]any)["env"].([]any)
		containers[0].(map[string]any)["env"] = append(env, map[string]any{"name": "THEIRS", "value": "x"})
		set(t, live, containers, "spec", "template", "spec", "containers")
	})
	wantAction(t, plan(t, o), engine.Unchanged)
}

func TestFieldHeldByAnotherManager(t *testing.T) {
	_, c, ns := connect(t)
	want := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {k: ours, other: ours}}`, ns)
	o := kube.NewObject(c, kube.Fixed(want))
	mustApply(t, o)
	before, err := o.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	edit(t, c, want, func(live map[string]any) { set(t, live, "theirs", "data", "k") })
	change := plan(t, o)
	wantAction(t, change, engine.Blocked)
	if !strings.Contains(change.Why, `data.k is held by field manager "kubectl-edit"`) || !strings.Contains(change.Fix, "--force-conflicts") {
		t.Errorf("%+v", change)
	}
	if got := change.Fields; len(got) != 1 || got[0] != (engine.Field{Path: "data.k", From: "theirs", To: "ours"}) {
		t.Errorf("%+v", got)
	}
	// The edit may also come between plan and apply; then the API server refuses.
	err = o.Apply(t.Context(), before)
	var conflict *kube.ConflictError
	if !errors.As(err, &conflict) || !slices.Equal(conflict.Conflicts, []kube.Conflict{{Field: "data.k", Manager: "kubectl-edit"}}) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"ConfigMap " + ns + "/x", "data.k", `"kubectl-edit"`, "--force-conflicts"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q: %v", part, err)
		}
	}
	c.ForceConflicts = true
	forced := kube.NewObject(c, kube.Fixed(want))
	wantAction(t, plan(t, forced), engine.Configure)
	mustApply(t, forced)
	c.ForceConflicts = false
	wantAction(t, plan(t, o), engine.Unchanged)
}

func TestImmutableFieldIsSaidToBeOne(t *testing.T) {
	tests := map[string]struct{ first, then, field string }{
		"selector": {deployment(`[{name: a, image: b}]`), strings.ReplaceAll(deployment(`[{name: a, image: b}]`), "a: b}", "a: c}"), "spec.selector"},
		"claim": {
			`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}, spec: {accessModes: [ReadWriteOnce], storageClassName: a, resources: {requests: {storage: 1Gi}}}}`,
			`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}, spec: {accessModes: [ReadWriteOnce], storageClassName: b, resources: {requests: {storage: 1Gi}}}}`, "spec"},
		"role of a binding": {
			`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: a}}`,
			`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: b}}`, "roleRef"},
		"stateful set": {
			`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}, spec: {serviceName: a, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: b}]}}}}`,
			`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}, spec: {serviceName: b, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: b}]}}}}`, "spec"},
		"secret type": {`{apiVersion: v1, kind: Secret, metadata: {name: x}, type: Opaque}`, `{apiVersion: v1, kind: Secret, metadata: {name: x}, type: example.org/other}`, "type"},
	}
	_, c, ns := connect(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mustApply(t, kube.NewObject(c, kube.Fixed(object(t, tt.first, ns))))
			o := kube.NewObject(c, kube.Fixed(object(t, tt.then, ns)))
			wantAction(t, plan(t, o), engine.Configure)
			err := apply(t.Context(), o)
			var immutable *kube.ImmutableError
			if !errors.As(err, &immutable) || !slices.Contains(immutable.Fields, tt.field) {
				t.Fatalf("got %v (%+v)", err, immutable)
			}
			if !strings.Contains(err.Error(), "kubectl delete ") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 600 {
				t.Errorf("message: %v", err)
			}
			t.Log(err)
		})
	}
}

func TestInvalidObjectIsRefusedInTheServersWords(t *testing.T) {
	_, c, ns := connect(t)
	tests := map[string]struct{ text, say string }{
		"unknown field": {`{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, dta: {k: v}}`, "dta"},
		"invalid value": {`{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{port: 99999}]}}`, "99999"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := apply(t.Context(), kube.NewObject(c, kube.Fixed(object(t, tt.text, ns))))
			if err == nil || !strings.Contains(err.Error(), tt.say) || !strings.Contains(err.Error(), ns+"/x") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestObjectOfAnUnknownKind(t *testing.T) {
	_, c, ns := connect(t)
	want := object(t, `{apiVersion: example.org/v1, kind: Gadget, metadata: {name: x}}`, ns)
	plain := kube.NewObject(c, kube.Fixed(want))
	wantAction(t, plan(t, plain), engine.Create)
	var unknown *kube.UnknownKindError
	if err := apply(t.Context(), plain); !errors.As(err, &unknown) || unknown.Kind != "Gadget" {
		t.Errorf("got %v", err)
	}
	if err := errors.Join(plain.Remove(t.Context()), plain.Gone(t.Context())); err != nil {
		t.Errorf("what cannot be there is not in the way of a removal: %v", err)
	}
}

// A release may bring the definition of a kind after discovery was read and cached.
func TestKindThatCameAfterDiscovery(t *testing.T) {
	cluster, c, ns := connect(t)
	want := object(t, `{apiVersion: kubetest.example.org/v1, kind: Widget, metadata: {name: x}, spec: {size: 3, parts: [{name: a}, {name: b}]}}`, ns)
	o := kube.NewObject(c, kube.Fixed(want))
	wantAction(t, plan(t, o), engine.Create)
	crd := kube.NewObject(c, kube.Fixed(object(t, `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.kubetest.example.org}
spec:
  group: kubetest.example.org
  scope: Namespaced
  preserveUnknownFields: false
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}
status: {acceptedNames: {kind: "", plural: ""}, conditions: null, storedVersions: []}
`, "")))
	mustApply(t, crd)
	t.Cleanup(func() {
		if err := crd.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the definition is established", func() bool {
		health, err := crd.Ready(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return health.Ready
	})
	wantAction(t, plan(t, crd), engine.Unchanged)
	// Discovery names the kind a moment after it is established; what our client has cached does not.
	eventually(t, "discovery names the kind", func() bool {
		_, err := clientFor(t, cluster.Kubeconfig).Mapper.RESTMapping(want.GroupVersionKind().GroupKind())
		return err == nil
	})
	mustApply(t, o)
	wantAction(t, plan(t, o), engine.Unchanged)
}

func TestInputsThatAreNotKnownYet(t *testing.T) {
	_, c, _ := connect(t)
	output := engine.NewOutput[string]("service/ingress")
	o := kube.NewObject(c, func(context.Context) (*unstructured.Unstructured, error) {
		_, err := output.Get()
		return nil, err
	})
	var notYet *engine.NotYetError
	if _, err := o.Observe(t.Context()); !errors.As(err, &notYet) || notYet.After != "service/ingress" {
		t.Errorf("got %v", err)
	}
	if err := o.Remove(t.Context()); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestObjectInAnEndingNamespaceIsBlocked(t *testing.T) {
	cluster, c, ns := connect(t)
	there := kube.NewObject(c, kube.Fixed(object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [example.org/hold]}}`, ns)))
	mustApply(t, there)
	absent := kube.NewObject(c, kube.Fixed(object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: absent}}`, ns)))
	before, err := absent.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.Clientset().CoreV1().Namespaces().Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	change := plan(t, absent)
	wantAction(t, change, engine.Blocked)
	if !strings.Contains(change.Why, "namespace "+ns+" is being deleted since 2") || change.Fix == "" {
		t.Errorf("%+v", change)
	}
	if err := absent.Apply(t.Context(), before); err == nil || !strings.Contains(err.Error(), "is being deleted") {
		t.Errorf("got %v", err)
	}
	if err := there.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	change = plan(t, there)
	wantAction(t, change, engine.Blocked)
	if !strings.Contains(change.Why, "example.org/hold") {
		t.Errorf("%+v", change)
	}
	// The time is up when it is looked at for the second time.
	ctx, cancel := context.WithCancelCause(t.Context())
	looks, held := 0, object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: held}}`, ns)
	watched := kube.NewObject(c, func(context.Context) (*unstructured.Unstructured, error) {
		if looks++; looks == 2 {
			cancel(context.DeadlineExceeded)
		}
		return held, nil
	})
	if err := watched.Gone(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "example.org/hold") {
		t.Errorf("got %v", err)
	}
}

func TestRemoveObject(t *testing.T) {
	_, c, ns := connect(t)
	ours := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: ours}}`, ns)
	theirs := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs}}`, ns)
	o := kube.NewObject(c, kube.Fixed(ours))
	if err := o.Remove(t.Context()); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
	mustApply(t, o)
	if err := errors.Join(o.Remove(t.Context()), o.Gone(t.Context())); err != nil {
		t.Error(err)
	}
	wantAction(t, plan(t, o), engine.Create)
	if _, err := resource(t, c, theirs).Create(t.Context(), theirs, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := kube.NewObject(c, kube.Fixed(theirs)).RefuseRemoval(t.Context()); !strings.Contains(got, "not made by") {
		t.Errorf("somebody else's object would be removed: %q", got)
	}
}

// C1: an object that another party made is not changed without a word of what is lost.
func TestObjectOfAnotherParty(t *testing.T) {
	_, c, ns := connect(t)
	made := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs}, data: {a: old, b: kept}}`, ns)
	maps := c.Clientset.CoreV1().ConfigMaps(ns)
	their := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}, Data: map[string]string{"a": "old", "b": "kept"}}
	if _, err := maps.Create(t.Context(), their, metav1.CreateOptions{FieldManager: "company"}); err != nil {
		t.Fatal(err)
	}
	if change := plan(t, kube.NewObject(c, kube.Fixed(made))); change.Action != engine.Unchanged || change.Adopts != nil {
		t.Errorf("as wanted: %+v", change)
	}
	wanted := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs, labels: {app.kubernetes.io/managed-by: kubectl-onyxia}}, data: {a: new, c: more}}`, ns)
	c.ForceConflicts = true
	o := kube.NewObject(c, kube.Fixed(wanted))
	change := plan(t, o)
	if a := change.Adopts; change.Action != engine.Configure || a == nil || !strings.Contains(a.What, "made by company") || a.Lost != "data.a" {
		t.Errorf("%+v, adopts %+v", change, change.Adopts)
	}
	if why := o.RefuseRemoval(t.Context()); why == "" {
		t.Error("would be removed")
	}
	mustApply(t, o)
	if change := plan(t, o); change.Action != engine.Unchanged {
		t.Errorf("after: %+v", change)
	}
}
