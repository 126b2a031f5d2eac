package helm

import (
	"errors"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

func TestValuesThatTheChartRefuses(t *testing.T) {
	tests := []struct {
		name, file, content string
		says                []string
	}{
		{"by a template", "templates/check.yaml", `{{ fail "replicas must be odd" }}`, []string{"demo 1.0.0 does not take these values", "replicas must be odd"}},
		{"by its schema", "values.schema.json", `{"type":"object","required":["domain"],"properties":{"replicas":{"type":"string"}}}`,
			[]string{"demo 1.0.0 does not take these values", "domain", "replicas"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			files := demoFiles()
			files[tt.file] = tt.content
			mark := s.cluster.Mark(t)
			wantError(t, s.fails(s.release(s.charts.add("demo", "1.0.0", files), nil)), tt.says...)
			if writes := mark.Writes(t); len(writes) > 0 {
				t.Errorf("writes: %q", writes)
			}
		})
	}
}

func TestChartForAnotherKubernetes(t *testing.T) {
	s := newSite(t)
	files := demoFiles()
	files["Chart.yaml"] = "apiVersion: v2\nname: demo\nversion: 1.0.0\nkubeVersion: '>=9.0.0-0'\n"
	wantError(t, s.fails(s.release(s.charts.add("demo", "1.0.0", files), nil)), "chart requires kubeVersion: >=9.0.0-0")
}

// A user who may write records but not what the chart wants learns which right is missing; the next run of one who may
// goes on from there.
func TestMissingRights(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil)
	own := s.cluster.Clientset()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "some"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"", "apps"}, Resources: []string{"*"}, Verbs: []string{"*"}}}}
	if _, err := own.RbacV1().Roles(s.namespace).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "some"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "some"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "somebody"}}}
	if _, err := own.RbacV1().RoleBindings(s.namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	client := s.clientOf(s.cluster.User(t, "somebody"))
	// The API server learns of roles a moment after they are made.
	err := poll(t.Context(), func() (bool, error) {
		missing, err := client.Kube.Missing(t.Context(), []kube.Right{{Resource: "secrets", Verb: "list", Namespace: s.namespace}})
		return len(missing) == 0, err
	})
	if err != nil {
		t.Fatal(err)
	}
	resource := client.Release(r)
	seen, err := resource.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = resource.Apply(t.Context(), seen)
	wantError(t, err, "clusterroles", "forbidden")
	if !apierrors.IsForbidden(rootCause(err)) {
		t.Errorf("the error does not tell that a right is missing: %#v", rootCause(err))
	}
	s.apply(r)
}

// rootCause is the API server's answer in an error.
func rootCause(err error) error {
	var status *apierrors.StatusError
	if errors.As(err, &status) {
		return status
	}
	return err
}

// Values with nulls, numbers and empty maps are as wanted when they come back, and nothing of them is lost on the way.
func TestValuesComeBackAsTheyWent(t *testing.T) {
	s := newSite(t)
	values := map[string]any{"labels": map[string]any{}, "port": 8080, "greeting": nil, "big": 1 << 40, "ratio": 0.25, "list": []any{nil, map[string]any{"a": nil}}}
	files := demoFiles()
	files["templates/config.yaml"] = strings.Replace(files["templates/config.yaml"], ".Values.greeting", `(.Values.greeting | default "none")`, 1)
	r := s.release(s.charts.add("demo", "1.0.0", files), values)
	s.apply(r)
	config, err := s.cluster.Clientset().CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "demo", metav1.GetOptions{})
	if err != nil || config.Data["greeting"] != "none" {
		t.Errorf("null did not take the default away: %v, %v", config.Data, err)
	}
	if len(values) != 6 || values["greeting"] != nil {
		t.Errorf("the caller's values were changed: %v", values)
	}
}
