package kubetest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inModule runs in a module of its own whose testbed/build is the script, with an empty cache.
func inModule(t *testing.T, script string) (cache string) {
	t.Helper()
	root := t.TempDir()
	below := filepath.Join(root, "pkg", "x")
	for path, content := range map[string]string{"go.mod": "module x\n", "testbed/build": "#!/bin/sh\n" + script} {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)
	cache = filepath.Join(t.TempDir(), "cache")
	t.Setenv("TESTBED_HOME", cache)
	return cache
}

func TestMissingProgramsAreBuiltByTheTestbed(t *testing.T) {
	cache := inModule(t, `mkdir -p "$TESTBED_HOME/bin" && for p in "$@"; do [ $p = apiserver ] && p=kube-apiserver; touch "$TESTBED_HOME/bin/$p"; done; echo "$@" >>"$TESTBED_HOME/built"`)
	for range 2 {
		bin, err := binaries()
		if err != nil || bin != filepath.Join(cache, "bin") {
			t.Fatalf("%q %v", bin, err)
		}
	}
	built, err := os.ReadFile(filepath.Join(cache, "built"))
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(built))
	slices.Sort(names)
	if !slices.Equal(names, []string{"apiserver", "etcd"}) {
		t.Errorf("built %v, want each once", names)
	}
}

func TestBuildThatFailsIsTold(t *testing.T) {
	tests := map[string]struct{ script, say string }{
		"fails":         {"echo no compiler; exit 1", "no compiler"},
		"makes nothing": {"exit 0", "still not in"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inModule(t, tt.script)
			if _, err := binaries(); err == nil || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("got %v", err)
			}
		})
	}
}
