package kube_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// What was joined is told apart; an error that says more than what it wraps stays whole.
func TestParts(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	for name, tt := range map[string]struct {
		err  error
		want []string
	}{
		"nothing":                         {},
		"one":                             {a, []string{"a"}},
		"joined":                          {errors.Join(a, errors.Join(b, c)), []string{"a", "b", "c"}},
		"joined alone":                    {errors.Join(a), []string{"a"}},
		"two causes":                      {fmt.Errorf("%w: %w", a, b), []string{"a: b"}},
		"wrapped":                         {fmt.Errorf("x: %w", errors.Join(a, b)), []string{"x: a\nb"}},
		"two causes, joined with another": {errors.Join(fmt.Errorf("%w: %w", a, b), c), []string{"a: b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, one := range kube.Parts(tt.err) {
				got = append(got, one.Error())
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// A sentence names a few rights, the role all of them, each once.
func TestDenied(t *testing.T) {
	var rights []kube.Right
	for _, resource := range []string{"configmaps", "secrets", "services"} {
		for _, verb := range []string{"get", "list"} {
			rights = append(rights, kube.Right{Resource: resource, Verb: verb, Namespace: "lab"})
		}
	}
	cause := errors.New("forbidden")
	had := kube.Right{Resource: "pods", Verb: "get", Namespace: "lab"}
	err := kube.Denied(cause, append(rights, rights...), append(rights, had))
	first, role, _ := strings.Cut(err.Error(), "\n")
	if want := "this user may not get configmaps in namespace lab, list configmaps in namespace lab, get secrets in namespace lab, list secrets in namespace lab, and 2 more such things; ask an administrator for this role:"; first != want {
		t.Errorf("got %q", first)
	}
	// the role takes the place of a former one, so it has what the user had as well
	for _, resource := range []string{"configmaps", "secrets", "services", "pods"} {
		if strings.Count(role, "- "+resource+"\n") != 1 {
			t.Errorf("%s in\n%s", resource, role)
		}
	}
	if !errors.Is(err, cause) || len(err.Missing) != 6 {
		t.Errorf("%+v", err)
	}
}
