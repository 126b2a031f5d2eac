package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	folder, port := t.TempDir(), testbed.Port(t)
	// The server is up, its provider is not: the health endpoints of MinIO say yes, we say why not.
	server := launch(t, folder, port, openID("http://127.0.0.1:1")...)
	health := await(t, server, func(h engine.Health) bool { return strings.Contains(h.Reason, "XMinioServerNotInitialized") })
	if health.Ready || health.Hopeless || !strings.Contains(health.Reason, "waits for its OpenID provider") || !strings.Contains(health.Reason, "Unable to initialize OpenID") {
		t.Errorf("provider down: %+v", health)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && !strings.Contains(server.log.String(), "Unable to initialize OpenID"); {
		time.Sleep(100 * time.Millisecond)
	}
	if !strings.Contains(server.log.String(), "Unable to initialize OpenID") {
		t.Errorf("the words that we send people to look for are not in the log:\n%s", server.log)
	}
	_, err := server.client().AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: i.token(t, "alice", nil, nil)})
	if err == nil || !strings.Contains(err.Error(), "waits for its OpenID provider") {
		t.Errorf("STS while the provider is down: %v", err)
	}
	wrong := &Admin{Client: server.client().As(NewCredentials("nobody", "x", "", time.Time{}))}
	server.stop()
	if health, err := server.admin().Health(t.Context()); err != nil || health.Ready || health.Hopeless || !strings.Contains(health.Reason, "nothing listens there") {
		t.Errorf("stopped: %+v %v", health, err)
	}
	// The same folder with a provider that answers.
	server = launch(t, folder, port, openID(i.server.URL)...)
	await(t, server, func(h engine.Health) bool { return h.Ready })
	if health, err := wrong.Health(t.Context()); err != nil || health.Ready || !health.Hopeless || !strings.Contains(health.Reason, "knows no such access key") {
		t.Errorf("wrong key: %+v %v", health, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := server.admin().Health(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A policy that is written as soon as the server is called ready stays: it is not before all of them are loaded.
func TestHealthWaitsForThePolicies(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	folder, port := t.TempDir(), testbed.Port(t)
	server := launch(t, folder, port, openID(i.server.URL)...)
	server.await(t)
	policy := Policy{Version: PolicyVersion, Statement: []Statement{{Effect: Allow, Action: List{"s3:*"}, Resource: List{arn + "x"}}}}
	// They take some time to load.
	for n := range 300 {
		if err := server.admin().PutPolicy(t.Context(), fmt.Sprintf("old-%d", n), policy); err != nil {
			t.Fatal(err)
		}
	}
	server.stop()
	server = launch(t, folder, port, openID(i.server.URL)...)
	for deadline := time.Now().Add(patience); ; {
		health, err := server.admin().Health(t.Context())
		if err == nil && health.Ready {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, %v", health, err)
		}
	}
	if err := server.admin().PutPolicy(t.Context(), "new", policy); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < time.Second; time.Sleep(10 * time.Millisecond) {
		if document, err := server.admin().PolicyDocument(t.Context(), "new"); err != nil || document == nil {
			t.Fatalf("forgotten after %s: %v", time.Since(began), err)
		}
	}
}

func await(t *testing.T, s *minioServer, done func(engine.Health) bool) engine.Health {
	t.Helper()
	var last engine.Health
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		health, err := s.admin().Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if last = health; done(health) {
			return health
		}
	}
	t.Fatalf("last seen %+v\n%s", last, s.log)
	return last
}
