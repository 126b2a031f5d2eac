package kube_test
import ("testing";"os";"path/filepath";"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube";"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine")
func TestZZ(t *testing.T) {
	files, _ := filepath.Glob("/tmp/rendered/*.yaml")
	for _, f := range files { for _, way := range []string{"mend","apply"} {
		_, c, ns := connect(t)
		b, _ := os.ReadFile(f)
		n := 0
		for _, want := range objects(t, b, ns) {
			if want.GetKind() == "" { continue }
			if _, hook := want.GetAnnotations()["helm.sh/hook"]; hook { continue }
			want.SetName(want.GetName())
			n++
			if way == "mend" {
				if err := c.Mend(t.Context(), want); err != nil { t.Log(filepath.Base(f), err); continue }
				live := read(t, c, want)
				for _, d := range kube.Differences(want, live) { t.Errorf("%s %s %s: %+v", filepath.Base(f), want.GetKind(), want.GetName(), d) }
				continue
			}
			o := kube.NewObject(c, kube.Fixed(want), kube.ForceConflicts())
			if err := apply(t.Context(), o); err != nil { t.Log(filepath.Base(f), err); continue }
			if ch := plan(t, o); ch.Action != engine.Unchanged { t.Errorf("%s %s: %+v", filepath.Base(f), want.GetName(), ch) }
		}
		t.Log(way, filepath.Base(f), n)
	}}
}
