package auth

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// The admin's own entries join ours: each has a name, and theirs takes the place of ours.
func TestTheirLists(t *testing.T) {
	env, _ := datalab(t, platform.Auth{Theme: platform.Theme{URL: "none"}})
	ours, err := values(env, image, "curl", theme{})
	if err != nil {
		t.Fatal(err)
	}
	joined, err := withTheirs(ours, map[string]any{"extraEnv": "- name: KC_LOG_LEVEL\n  value: debug\n- name: KC_CACHE\n  value: ispn\n", "replicas": 2})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, e := range text[[]variable](t, joined, "extraEnv") {
		got[e.Name] = append(got[e.Name], e.Value)
	}
	if d := cmp.Diff([]string{"debug", "ispn", "https://auth.lab.demo.test/auth"}, slices.Concat(got["KC_LOG_LEVEL"], got["KC_CACHE"], got["KC_HOSTNAME"])); d != "" || joined["replicas"] != 2 {
		t.Errorf("%s\n%v", d, joined["extraEnv"])
	}
	if _, err := withTheirs(ours, map[string]any{"extraEnv": "name: x"}); err == nil || !strings.Contains(err.Error(), "auth.values.extraEnv") {
		t.Errorf("not a list: %v", err)
	}
}
