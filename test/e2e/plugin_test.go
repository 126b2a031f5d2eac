//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The plugin as Helm and kubectl find it.
func TestInstalledAsPlugin(t *testing.T) {
	b := bed(t)
	plugins := t.TempDir()
	helm := filepath.Join(b.home, "bin", "helm")
	run := func(name string, args ...string) string {
		cmd := b.command(name, args...)
		cmd.Env = append(cmd.Env, "HELM_PLUGINS="+plugins, "PATH="+filepath.Join(b.root, "bin")+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run(helm, "plugin", "install", b.root)
	if help := run(helm, "onyxia", "--help"); !strings.Contains(help, "helm onyxia up") {
		t.Errorf("help under Helm does not say helm onyxia: %.300s", help)
	}
	kubectl := filepath.Join(b.home, "bin", "kubectl")
	if help := run(kubectl, "onyxia", "--help"); !strings.Contains(help, "kubectl onyxia up") {
		t.Errorf("help under kubectl does not say kubectl onyxia: %.300s", help)
	}
}
