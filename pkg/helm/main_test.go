package helm

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// demoFiles are the templates of a small chart with the kinds that matter: most name no namespace, two are cluster-wide,
// one is a Secret, and amounts are spelled as the API server does not.
func demoFiles() map[string]string {
	return map[string]string{
		"values.yaml": "greeting: hello\nreplicas: 1\nlabels: {}\nport: 80\n",
		"templates/config.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {greeting: {{ .Values.greeting | quote }}, kube: {{ .Capabilities.KubeVersion.Version | quote }}}
`,
		"templates/secret.yaml": `apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-login}
stringData: {user: admin}
`,
		"templates/deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {{ toJson .Values.labels }}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers:
      - name: main
        image: none
        ports: [{containerPort: {{ .Values.port }}}]
        resources: {requests: {cpu: 1000m, memory: 1024Mi}}
        env: [{name: EMPTY, value: ""}]
`,
		"templates/service.yaml": `apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{port: {{ .Values.port }}}]}
`,
		"templates/rbac.yaml": `apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: {{ .Release.Namespace }}-{{ .Release.Name }}}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: {{ .Release.Namespace }}-{{ .Release.Name }}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ .Release.Namespace }}-{{ .Release.Name }}}
subjects: [{kind: ServiceAccount, name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}]
`,
	}
}

// demoObjects is how many objects the demo chart has.
const demoObjects = 7

// site is a cluster, a namespace in it and a directory of charts.
type site struct {
	t         *testing.T
	cluster   *kubetest.Cluster
	namespace string
	charts    chartDir
	warned    *lines
}

func newSite(t *testing.T) site {
	cluster := kubetest.Start(t)
	return site{t: t, cluster: cluster, namespace: cluster.Namespace(t), charts: newChartDir(t), warned: &lines{}}
}

// client is a new client, as a new run of the plugin has one.
func (s site) client() *Client {
	s.t.Helper()
	connection, err := kube.Connect(s.cluster.Flags(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	return &Client{Kube: connection, ChartDir: s.charts.path, Warn: s.warned.add}
}

func (s site) release(chart profile.Chart, values map[string]any) Release {
	return Release{Name: "demo", Namespace: s.namespace, Chart: chart,
		Values: func(context.Context) (map[string]any, error) { return values, nil }}
}

// plan is what a new run would do.
func (s site) plan(r Release) (*ReleaseResource, *Seen, engine.Change) {
	s.t.Helper()
	resource := s.client().Release(r)
	seen, err := resource.Observe(s.t.Context())
	if err != nil {
		s.t.Fatalf("observe: %v", err)
	}
	return resource, seen, resource.Plan(seen)
}

// apply runs once, and checks that nothing is left to do after.
func (s site) apply(r Release) engine.Change {
	s.t.Helper()
	resource, seen, change := s.plan(r)
	if !change.Action.Writes() {
		return change
	}
	if err := resource.Apply(s.t.Context(), seen); err != nil {
		s.t.Fatalf("apply (%s): %v", change.Action, err)
	}
	if _, _, left := s.plan(r); left.Action != engine.Unchanged {
		s.t.Fatalf("after apply (%s) there is still to do: %+v", change.Action, left)
	}
	return change
}

// fails runs once and gives the error.
func (s site) fails(r Release) error {
	s.t.Helper()
	resource, seen, change := s.plan(r)
	if !change.Action.Writes() {
		s.t.Fatalf("nothing to apply: %+v", change)
	}
	err := resource.Apply(s.t.Context(), seen)
	if err == nil {
		s.t.Fatal("apply did not fail")
	}
	return err
}

// revisions are the release's records: "1 superseded", "2 deployed".
func (s site) revisions(name string) []string {
	s.t.Helper()
	list, err := s.cluster.Clientset().CoreV1().Secrets(s.namespace).List(s.t.Context(), metav1.ListOptions{LabelSelector: "owner=helm,name=" + name})
	if err != nil {
		s.t.Fatal(err)
	}
	var all []string
	for _, secret := range list.Items {
		all = append(all, secret.Labels["version"]+" "+secret.Labels["status"])
	}
	slices.Sort(all)
	return all
}

func (s site) wantRevisions(want ...string) {
	s.t.Helper()
	if got := s.revisions("demo"); !slices.Equal(got, want) {
		s.t.Errorf("revisions %q, want %q", got, want)
	}
}

// record gives the Secret of a revision.
func (s site) record(revision int) *corev1.Secret {
	s.t.Helper()
	secret, err := s.cluster.Clientset().CoreV1().Secrets(s.namespace).Get(s.t.Context(), fmt.Sprintf("sh.helm.release.v1.demo.v%d", revision), metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

func wantChange(t *testing.T, got engine.Change, action engine.Action, why string, paths ...string) {
	t.Helper()
	var found []string
	for _, f := range got.Fields {
		found = append(found, f.Path)
	}
	if got.Action != action || !strings.Contains(got.Why, why) || !slices.Equal(found, paths) {
		t.Errorf("change is %s, why %q, fields %q; want %s, %q, %q", got.Action, got.Why, found, action, why, paths)
	}
}

// clientOf is a client of another user.
func (s site) clientOf(kubeconfig string) *Client {
	s.t.Helper()
	connection, err := kube.Connect(kubetest.FlagsFor(s.t, kubeconfig))
	if err != nil {
		s.t.Fatal(err)
	}
	return &Client{Kube: connection, ChartDir: s.charts.path, Warn: s.warned.add}
}
