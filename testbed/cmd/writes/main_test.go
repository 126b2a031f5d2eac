package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Lines as kube-apiserver 1.36 writes them at level Metadata, cut down to the fields read here.
const (
	get    = `{"kind":"Event","verb":"get","requestURI":"/api/v1/namespaces/onyxia","userAgent":"kubectl/v1.36.3 (linux/amd64)","responseStatus":{"code":200}}`
	patch  = `{"kind":"Event","verb":"patch","requestURI":"/api/v1/namespaces/onyxia?fieldManager=kubectl-onyxia","userAgent":"kubectl-onyxia/v0 (linux/amd64)","responseStatus":{"metadata":{},"code":200}}`
	create = `{"kind":"Event","verb":"create","requestURI":"/api/v1/namespaces/onyxia/secrets","userAgent":"Helm/3.22.0","responseStatus":{"code":409}}`
	review = `{"kind":"Event","verb":"create","requestURI":"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews","userAgent":"kubectl-onyxia/v0","responseStatus":{"code":201}}`
)

func TestWrites(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	before := strings.Join([]string{get, patch}, "\n") + "\n"
	write(t, log, before)
	var mark strings.Builder
	if err := run([]string{"-mark", log}, &mark); err != nil {
		t.Fatal(err)
	}
	write(t, log, before+strings.Join([]string{get, review, create}, "\n")+"\n"+`{"verb":"del`)

	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"all": {[]string{log}, "kubectl-onyxia/v0 patch /api/v1/namespaces/onyxia 200\n" +
			"Helm/3.22.0 create /api/v1/namespaces/onyxia/secrets 409\n"},
		"since the mark": {[]string{log, strings.TrimSpace(mark.String())}, "Helm/3.22.0 create /api/v1/namespaces/onyxia/secrets 409\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := run(tc.args, &out); err != nil {
				t.Fatal(err)
			}
			if out.String() != tc.want {
				t.Errorf("got\n%swant\n%s", out.String(), tc.want)
			}
		})
	}
}

func TestWritesRefuses(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	write(t, log, "not JSON\n")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no argument":    {nil, "usage"},
		"no log":         {[]string{log + ".none"}, "no such file"},
		"mark of no log": {[]string{"-mark", log + ".none"}, "no such file"},
		"bad mark":       {[]string{log, "x"}, "is not a mark"},
		"broken log":     {[]string{log}, "audit log"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := run(tc.args, &out); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
