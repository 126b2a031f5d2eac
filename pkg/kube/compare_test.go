package kube

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

// in writes a kind with some content.
func in(kind, content string) string {
	return "{kind: " + kind + ", metadata: {name: x}, " + content + "}"
}

// Each row is a wanted and a live object of one kind, and the differences as "path: from -> to".
func TestDifferences(t *testing.T) {
	tests := []struct {
		name, kind, want, live string
		fields                 []string
	}{
		{"equal", "ConfigMap", `data: {a: b}`, `data: {a: b}`, nil},
		{"the cluster's additions do not count", "Deployment", `spec: {a: 1}`, `spec: {a: 1, b: 2}, status: {x: y}`, nil},
		{"changed", "ConfigMap", `data: {a: b}`, `data: {a: c}`, []string{"data.a: c -> b"}},
		{"gone", "ConfigMap", `data: {a: b}`, `data: {}`, []string{"data.a:  -> b"}},
		{"gone with all around it", "ConfigMap", `data: {a: b}`, `x: y`, []string{`data:  -> {"a":"b"}`}},
		{"a map where a text is wanted", "X", `spec: {a: b}`, `spec: {a: {c: d}}`, []string{`spec.a: {"c":"d"} -> b`}},
		{"a text where a map is wanted", "X", `spec: {a: {c: d}}`, `spec: {a: b}`, []string{`spec.a: b -> {"c":"d"}`}},
		{"a list where a map is wanted", "X", `spec: {a: {c: d}}`, `spec: {a: [c]}`, []string{`spec.a: ["c"] -> {"c":"d"}`}},
		{"keys with dots and slashes", "ConfigMap", `data: {a.yaml: b}`, `data: {a.yaml: c}`, []string{"data[a.yaml]: c -> b"}},
		{"status is the cluster's", "X", `status: {a: b}`, `status: {a: c}`, nil},

		{"null", "X", `spec: {a: null, b: {c: null}}`, `spec: {}`, nil},
		{"null leaves the choice", "X", `spec: {a: null}`, `spec: {a: 1}`, nil},
		{"empty map", "X", `spec: {a: {}}`, `spec: {}`, nil},
		{"map of empty maps", "X", `spec: {a: {b: {}, c: ""}}`, `spec: {}`, nil},
		{"empty list", "X", `spec: {a: []}`, `spec: {}`, nil},
		{"empty list, something there", "X", `spec: {a: []}`, `spec: {a: [x]}`, []string{`spec.a: ["x"] -> []`}},
		{"empty text", "X", `spec: {a: ""}`, `spec: {}`, nil},
		{"empty text, something there", "ConfigMap", `data: {a: ""}`, `data: {a: b}`, []string{"data.a: b -> "}},
		{"false and zero", "X", `spec: {a: false, b: 0, c: 0.0}`, `spec: {}`, nil},
		{"false, true there", "X", `spec: {a: false}`, `spec: {a: true}`, []string{"spec.a: true -> false"}},
		{"true is not nothing", "X", `spec: {a: true}`, `spec: {}`, []string{"spec.a:  -> true"}},
		{"false that says something", "Pod", `spec: {automountServiceAccountToken: false}`, `spec: {}`, []string{"spec.automountServiceAccountToken:  -> false"}},
		{"user zero says something", "Pod", `spec: {securityContext: {runAsUser: 0}}`, `spec: {securityContext: {}}`, []string{"spec.securityContext.runAsUser:  -> 0"}},
		{"an empty selector says something", "NetworkPolicy", `spec: {podSelector: {}}`, `spec: {}`, []string{"spec.podSelector:  -> {}"}},
		{"an empty selector is there", "NetworkPolicy", `spec: {podSelector: {}}`, `spec: {podSelector: {}}`, nil},
		{"another kind of volume", "Pod", `spec: {volumes: [{name: v, emptyDir: {}}]}`, `spec: {volumes: [{name: v, hostPath: {path: /}}]}`, []string{"spec.volumes[v].emptyDir:  -> {}"}},
		{"the cluster's choice", "Service", `spec: {clusterIP: "", ipFamilies: [], type: ""}`, `spec: {clusterIP: 10.0.0.1, ipFamilies: [IPv4], type: ClusterIP}`, nil},
		{"none is no empty choice", "Service", `spec: {clusterIP: None}`, `spec: {clusterIP: 10.0.0.1}`, []string{"spec.clusterIP: 10.0.0.1 -> None"}},

		{"whole and broken numbers", "X", `spec: {a: 10, b: 10.0, c: 0.5}`, `spec: {a: 10.0, b: 10, c: 0.5}`, nil},
		{"numbers that differ", "X", `spec: {a: 10}`, `spec: {a: 11}`, []string{"spec.a: 11 -> 10"}},
		{"a number is no text", "X", `spec: {port: 80}`, `spec: {port: "80"}`, []string{"spec.port: 80 -> 80"}},
		{"amounts", "Pod", `spec: {containers: [{name: c, resources: {limits: {cpu: 1000m, memory: 1024Mi, x.org/gpu: 1}, requests: {cpu: 0.5, memory: 1e3}}}]}`,
			`spec: {containers: [{name: c, resources: {limits: {cpu: "1", memory: 1Gi, x.org/gpu: "1"}, requests: {cpu: 500m, memory: 1k}}}]}`, nil},
		{"amounts that differ", "Pod", `spec: {containers: [{name: c, resources: {limits: {cpu: 1}}}]}`, `spec: {containers: [{name: c, resources: {limits: {cpu: 1001m}}}]}`, []string{"spec.containers[c].resources.limits.cpu: 1001m -> 1"}},
		{"a quota", "ResourceQuota", `spec: {hard: {requests.cpu: 1000m, pods: 10}}`, `spec: {hard: {requests.cpu: "1", pods: "10"}}`, nil},
		{"what only looks like an amount", "ConfigMap", `data: {cpu: 1000m}`, `data: {cpu: "1"}`, []string{"data.cpu: 1 -> 1000m"}},
		{"what only looks like an amount, in a variable", "Pod", `spec: {containers: [{name: c, env: [{name: A, value: 1000m}]}]}`, `spec: {containers: [{name: c, env: [{name: A, value: "1"}]}]}`, []string{"spec.containers[c].env[A].value: 1 -> 1000m"}},

		{"lists by position", "X", `spec: {a: [x, w]}`, `spec: {a: [x, z]}`, []string{"spec.a[1]: z -> w"}},
		{"another order", "X", `spec: {a: [x, w]}`, `spec: {a: [w, x]}`, []string{"spec.a[0]: w -> x", "spec.a[1]: x -> w"}},
		{"a longer list", "X", `spec: {a: [x]}`, `spec: {a: [x, w]}`, []string{`spec.a: ["x","w"] -> ["x"]`}},
		{"elements may have more", "Service", `spec: {ports: [{port: 80}]}`, `spec: {ports: [{port: 80, protocol: TCP, targetPort: 80, nodePort: 30080}]}`, nil},
		{"elements by name", "Pod", `spec: {containers: [{name: a, image: x}]}`, `spec: {containers: [{name: a, image: w}]}`, []string{"spec.containers[a].image: w -> x"}},

		{"labels and annotations", "X", `metadata: {name: x, labels: {a/b: "1"}, annotations: {c: d}}`, `metadata: {name: x, labels: {a/b: "2", more: x}}`, []string{`metadata.annotations:  -> {"c":"d"}`, "metadata.labels[a/b]: 2 -> 1"}},
		{"other metadata is the cluster's", "X", `metadata: {name: x, creationTimestamp: null, generation: 1, resourceVersion: "1"}`, `metadata: {name: x, generation: 7, resourceVersion: "9", creationTimestamp: "2026-01-01T00:00:00Z"}`, nil},
		{"finalizers of others", "X", `metadata: {finalizers: [a]}`, `metadata: {finalizers: [b, a]}`, nil},
		{"finalizer that is gone", "X", `metadata: {finalizers: [a]}`, `metadata: {finalizers: [b]}`, []string{"metadata.finalizers[1]:  -> a"}},
		{"pull secrets that a controller added", "ServiceAccount", `imagePullSecrets: [{name: a}]`, `imagePullSecrets: [{name: builder}, {name: a}]`, nil},
		{"an aggregated role", "ClusterRole", `aggregationRule: {x: y}, rules: []`, `aggregationRule: {x: y}, rules: [{verbs: [get]}]`, nil},
		{"an ordinary role", "ClusterRole", `rules: [{verbs: [get]}]`, `rules: [{verbs: [get, list]}]`, []string{`rules[0].verbs: ["get","list"] -> ["get"]`}},
		{"authority that a controller filled in", "ValidatingWebhookConfiguration", `webhooks: [{name: w, clientConfig: {caBundle: ""}}]`, `webhooks: [{name: w, clientConfig: {caBundle: QUJD}}]`, nil},

		{"secret, changed", "Secret", `data: {a: QUJD}`, `data: {a: QUJE}`, []string{"data.a: (secret)"}},
		{"secret, gone", "Secret", `data: {a: QUJD}`, `x: y`, []string{"data: (secret)"}},
		{"secret, other line breaks", "Secret", `data: {a: "QUJD\nQUJE"}`, `data: {a: QUJDQUJE}`, nil},
		{"secret, as text", "Secret", `stringData: {a: ABC, n: 5}`, `data: {a: QUJD, n: NQ==}`, nil},
		{"secret, text over data", "Secret", `data: {a: eA==}, stringData: {a: ABC}`, `data: {a: QUJD}`, nil},
		{"secret, as text, changed", "Secret", `stringData: {a: ABC}`, `data: {a: QUJE}`, []string{"data.a: (secret)"}},
		{"secret, empty", "Secret", `data: {a: ""}`, `data: {a: ""}`, nil},
		{"secret, copied by kubectl apply", "Secret", `metadata: {annotations: {kubectl.kubernetes.io/last-applied-configuration: one}}`, `metadata: {annotations: {kubectl.kubernetes.io/last-applied-configuration: two}}`,
			[]string{"metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]: (secret)"}},
		{"secret in a variable", "Pod", `spec: {containers: [{name: c, env: [{name: DB_PASSWORD, value: one}]}]}`, `spec: {containers: [{name: c, env: [{name: DB_PASSWORD, value: two}]}]}`, []string{"spec.containers[c].env[DB_PASSWORD].value: (secret)"}},
		{"secret in a variable of a container that is gone", "Pod", `spec: {containers: [{name: c, env: [{name: API_TOKEN, value: one}, {name: A, value: b}]}]}`, `spec: {}`,
			[]string{`spec.containers:  -> [{"env":[{"name":"API_TOKEN","value":"[redacted]"},{"name":"A","value":"b"}],"name":"c"}]`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range Differences(parse(t, in(tt.kind, tt.want)), parse(t, in(tt.kind, tt.live))) {
				if f.Secret {
					got = append(got, f.Path+": (secret)"+f.From+f.To)
					continue
				}
				got = append(got, fmt.Sprintf("%s: %s -> %s", f.Path, f.From, f.To))
			}
			if strings.Join(got, "\n") != strings.Join(tt.fields, "\n") {
				t.Errorf("\n got %q\nwant %q", got, tt.fields)
			}
		})
	}
}

func TestDifferencesLeaveTheirInputAlone(t *testing.T) {
	want := parse(t, in("Secret", `stringData: {a: b}, x: null`))
	before := want.DeepCopy()
	Differences(want, parse(t, in("Secret", `data: {}`)))
	if fmt.Sprint(want.Object) != fmt.Sprint(before.Object) {
		t.Errorf("changed to %v", want.Object)
	}
}

// managedFields as an API server wrote them (Kubernetes 1.36) for a Deployment that was applied by us and scaled by hand.
const managed = `
metadata:
  name: x
  managedFields:
  - {manager: kubectl-onyxia, operation: Apply, apiVersion: apps/v1, fieldsType: FieldsV1, fieldsV1: {"f:metadata": {"f:labels": {"f:old.example.org": {}}}, "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:args": {}, "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}}}}}}}}
  - {manager: kubectl, operation: Update, subresource: scale, apiVersion: apps/v1, fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:replicas": {}}}}
  labels: {old.example.org: "1"}
spec: {replicas: 3, template: {spec: {containers: [{name: sidecar}, {name: a, args: [x], ports: [{containerPort: 80, protocol: TCP}]}]}}}
`

func TestPlanReadsWhoHoldsWhat(t *testing.T) {
	live := parse(t, "apiVersion: apps/v1\nkind: Deployment\n"+managed)
	owners, err := ownershipOf(live)
	if err != nil {
		t.Fatal(err)
	}
	wanted := func(spec string) *unstructured.Unstructured {
		return parse(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: x, labels: {old.example.org: "1"}}, spec: `+spec+`}`)
	}
	tests := map[string]struct {
		want   *unstructured.Unstructured
		action engine.Action
		fields []string
	}{
		"nothing new, another's container first": {wanted(`{template: {spec: {containers: [{name: a, args: [x], ports: [{containerPort: 80}]}]}}}`), engine.Unchanged, nil},
		"arguments are one field":                {wanted(`{template: {spec: {containers: [{name: a, args: [y], ports: [{containerPort: 80}]}]}}}`), engine.Configure, []string{"spec.template.spec.containers[a].args[0]"}},
		"another's number of pods":               {wanted(`{replicas: 1, template: {spec: {containers: [{name: a, args: [x], ports: [{containerPort: 80}]}]}}}`), engine.Blocked, []string{"spec.replicas"}},
		"a port that goes":                       {wanted(`{template: {spec: {containers: [{name: a, args: [x]}]}}}`), engine.Configure, []string{"spec.template.spec.containers[a].ports[80/TCP]"}},
		"a label that goes":                      {parse(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: {spec: {containers: [{name: a, args: [x], ports: [{containerPort: 80}]}]}}}}`), engine.Configure, []string{"metadata.labels[old.example.org]"}},
		"another version of the kind":            {parse(t, `{apiVersion: apps/v2, kind: Deployment, metadata: {name: x}, spec: {replicas: 3}}`), engine.Configure, []string{"apiVersion"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := NewObject(&Client{}, nil)
			change := o.Plan(ObjectSeen{Want: normalized(tt.want), Live: live, owners: owners})
			var got []string
			for _, f := range change.Fields {
				got = append(got, f.Path)
			}
			if change.Action != tt.action || fmt.Sprint(got) != fmt.Sprint(tt.fields) {
				t.Errorf("%+v", change)
			}
		})
	}
	forced := NewObject(&Client{ForceConflicts: true}, nil)
	if got := forced.Plan(ObjectSeen{Want: wanted(`{replicas: 1}`), Live: live, owners: owners}); got.Action != engine.Configure {
		t.Errorf("%+v", got)
	}
}
