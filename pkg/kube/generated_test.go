package kube_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

func mustQuantity(s string) quantity.Quantity { return quantity.MustParse(s) }

func secretOf(t *testing.T, c *kube.Client, ns, name string) *corev1.Secret {
	t.Helper()
	s, err := c.Clientset.CoreV1().Secrets(ns).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGeneratedOnceAndNeverAgain(t *testing.T) {
	cluster, c, ns := connect(t)
	g := kube.NewGenerated(c, ns, "keycloak-db", map[string]kube.Generate{"username": kube.Literal("keycloak"), "password": kube.Password(32)})
	var notYet *engine.NotYetError
	if _, err := g.Value(t.Context(), "password"); !errors.As(err, &notYet) || notYet.After != "secret/keycloak-db" {
		t.Errorf("got %v", err)
	}
	change := plan(t, g)
	wantAction(t, change, engine.Create)
	want := []engine.Field{{Path: "data.password", Secret: true}, {Path: "data.username", Secret: true}}
	if fmt.Sprint(change.Fields) != fmt.Sprint(want) {
		t.Errorf("%+v", change.Fields)
	}
	mustApply(t, g)
	first := secretOf(t, c, ns, "keycloak-db")
	if !regexp.MustCompile(`^[A-Za-z0-9]{32}$`).Match(first.Data["password"]) || string(first.Data["username"]) != "keycloak" || first.Labels[kube.ManagedByLabel] != kube.FieldManager {
		t.Errorf("%v, %d bytes", first.Labels, len(first.Data["password"]))
	}
	mark := cluster.Mark(t)
	wantAction(t, plan(t, g), engine.Unchanged)
	value, err := g.Value(t.Context(), "password")
	if err != nil || value.Reveal() != string(first.Data["password"]) {
		t.Errorf("%v", err)
	}
	if got := mark.Requests(t); len(got) != 1 {
		t.Errorf("want one GET for both, got %v", got)
	}

	more := kube.NewGenerated(c, ns, "keycloak-db", map[string]kube.Generate{"username": kube.Literal("other"), "password": kube.Password(8), "admin.key": kube.Password(16)})
	change = plan(t, more)
	wantAction(t, change, engine.Configure)
	if len(change.Fields) != 1 || change.Fields[0] != (engine.Field{Path: "data[admin.key]", Secret: true}) {
		t.Errorf("%+v", change.Fields)
	}
	mustApply(t, more)
	wantAction(t, plan(t, more), engine.Unchanged)
	second := secretOf(t, c, ns, "keycloak-db")
	if string(second.Data["password"]) != string(first.Data["password"]) || string(second.Data["username"]) != "keycloak" || len(second.Data["admin.key"]) != 16 {
		t.Error("what was there was written over, or what was missing is")
	}
}

func TestGeneratedUsesASecretThatSomebodyMade(t *testing.T) {
	_, c, ns := connect(t)
	made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, StringData: map[string]string{"password": "theirs", "empty": ""}}
	if _, err := c.Clientset.CoreV1().Secrets(ns).Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	g := kube.NewGenerated(c, ns, "s", map[string]kube.Generate{"password": kube.Password(8), "empty": kube.Password(8)})
	wantAction(t, plan(t, g), engine.Configure)
	mustApply(t, g)
	if s := secretOf(t, c, ns, "s"); string(s.Data["password"]) != "theirs" || len(s.Data["empty"]) != 8 {
		t.Errorf("%v", len(s.Data["empty"]))
	}
	if why := g.RefuseRemoval(t.Context()); !strings.Contains(why, "not made by") {
		t.Errorf("%q", why)
	}
	if err := g.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	secretOf(t, c, ns, "s")
}

func TestGeneratedDoesNotOverwriteWhatCameMeanwhile(t *testing.T) {
	_, c, ns := connect(t)
	g := kube.NewGenerated(c, ns, "s", map[string]kube.Generate{"a": kube.Password(8), "b": kube.Password(8)})
	absent, err := g.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	api := c.Clientset.CoreV1().Secrets(ns)
	if _, err := api.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, StringData: map[string]string{"a": "1"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := g.Apply(t.Context(), absent); err == nil {
		t.Error("created over an existing secret")
	}
	half, err := g.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	live := secretOf(t, c, ns, "s")
	live.StringData = map[string]string{"b": "2"}
	if _, err := api.Update(t.Context(), live, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := g.Apply(t.Context(), half); err == nil {
		t.Error("wrote over a key that came meanwhile")
	}
	if got := secretOf(t, c, ns, "s"); string(got.Data["b"]) != "2" {
		t.Error("the other's value is gone")
	}
}

func TestRemoveGenerated(t *testing.T) {
	_, c, ns := connect(t)
	g := kube.NewGenerated(c, ns, "s", map[string]kube.Generate{"a": kube.Password(8)})
	if err := g.Remove(t.Context()); err != nil {
		t.Errorf("not there is no error: %v", err)
	}
	mustApply(t, g)
	if err := g.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantAction(t, plan(t, g), engine.Create)
	if _, err := g.Value(t.Context(), "a"); err == nil {
		t.Error("the value outlives the secret")
	}
}

func TestFailureToGenerateIsTold(t *testing.T) {
	_, c, ns := connect(t)
	broken := errors.New("no more chance in this machine")
	g := kube.NewGenerated(c, ns, "s", map[string]kube.Generate{"a": func() ([]byte, error) { return nil, broken }})
	if err := apply(t.Context(), g); !errors.Is(err, broken) || !strings.Contains(err.Error(), ns+"/s") {
		t.Errorf("got %v", err)
	}
}

func TestPasswordsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		b, err := kube.Password(20)()
		if err != nil || len(b) != 20 || seen[string(b)] {
			t.Fatalf("%v, %d signs, seen before: %v", err, len(b), seen[string(b)])
		}
		seen[string(b)] = true
	}
}
