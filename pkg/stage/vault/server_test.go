package vault

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// The pod of a sealed server is never ready, and the release does not wait for that. An open one has to be ready.
func TestReleaseOfSealedServer(t *testing.T) {
	l := newLab(t, func(c *platform.Config) {
		c.Vault.Values = map[string]any{"server": map[string]any{"logLevel": "debug"}}
	})
	l.charts(t)
	l.runServer(t)
	s, err := newSite(t.Context(), l.env, Options{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.server()
	if err != nil {
		t.Fatal(err)
	}
	run := engine.Run{Steps: append(list, others(list)...)}
	began := time.Now()
	done, err := apply(t, run)
	if err != nil || done["release.helm/vault"] != engine.Create || time.Since(began) > 40*time.Second {
		t.Fatalf("%v, %v after %s", done, err, time.Since(began))
	}
	settled := func() bool {
		t.Helper()
		plan, err := run.Plan(t.Context())
		if err != nil || plan.Err() != nil || plan.Writes() {
			t.Fatalf("%+v, %v", plan, err)
		}
		return plan.Settled()
	}
	if !settled() {
		t.Error("waits for a sealed server")
	}
	file := filepath.Join(t.TempDir(), "keys.yaml")
	if _, err := apply(t, l.opener(t, Options{Keys: making(Keys{File: file})})); err != nil {
		t.Fatal(err)
	}
	if settled() {
		t.Error("does not wait for an open server that is not ready")
	}
	l.cluster.MakeReady(t, "StatefulSet", l.namespace(), "vault")
	if !settled() {
		t.Error("waits for a server that is ready")
	}
}
