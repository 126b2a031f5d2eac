package s3

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// minioServer is a real MinIO process on loopback.
type minioServer struct {
	Endpoint string
	Root     Credentials
	// http has connections of its own, which end with the server: a request by one that was left in the pool of all tests
	// fails in another way than one to a server that is not there.
	http *http.Client
	log  *lockedBuffer
	stop func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const (
	rootUser     = "root-of-test"
	rootPassword = "not-a-secret-of-anyone"
)

// launch starts a server on the folder and does not wait for it.
func launch(t *testing.T, folder string, port int, env ...string) *minioServer {
	t.Helper()
	s := &minioServer{
		Endpoint: fmt.Sprintf("http://127.0.0.1:%d", port),
		Root:     NewCredentials(rootUser, rootPassword, "", time.Time{}),
		http:     &http.Client{Transport: &http.Transport{}},
		log:      &lockedBuffer{},
	}
	cmd := exec.Command(testbed.Program(t, "minio"), "server", folder, "--quiet",
		"--address", fmt.Sprintf("127.0.0.1:%d", port), "--certs-dir", t.TempDir())
	cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+rootUser, "MINIO_ROOT_PASSWORD="+rootPassword, "MINIO_BROWSER=off", "MINIO_UPDATE=off",
		// Requests wait until the buckets are loaded. MinIO makes those anew that are removed meanwhile (cmd/bucket-metadata-sys.go
		// concurrentLoad, seen on a running server).
		"MINIO_SYNC_BOOT=on")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		s.http.CloseIdleConnections()
	})
	t.Cleanup(s.stop)
	return s
}

// openID is what the chart tells MinIO about the issuer, as environment.
func openID(discovery string) []string {
	return []string{
		"MINIO_IDENTITY_OPENID_CONFIG_URL=" + discovery + "/.well-known/openid-configuration",
		"MINIO_IDENTITY_OPENID_CLIENT_ID=minio", "MINIO_IDENTITY_OPENID_CLAIM_NAME=policy",
		"MINIO_IDENTITY_OPENID_SCOPES=openid", "MINIO_IDENTITY_OPENID_CLIENT_SECRET=not-a-secret-of-any-client",
	}
}

// startMinIO starts a server that trusts the issuer and waits until it answers signed requests.
func startMinIO(t *testing.T, i *issuer, env ...string) *minioServer {
	t.Helper()
	s := launch(t, t.TempDir(), testbed.Port(t), append(openID(i.server.URL), env...)...)
	s.await(t)
	return s
}

// patience bounds a wait for a server on a machine that is busy with others.
const patience = 2 * time.Minute

func (s *minioServer) await(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		health, err := s.admin().Health(t.Context())
		if err == nil && health.Ready {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("MinIO does not answer: %v %v\n%s", health, err, s.log)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// client is the server's root user.
func (s *minioServer) client() *Client {
	return &Client{Endpoint: s.Endpoint, HTTP: s.http, Credentials: s.Root}
}

func (s *minioServer) admin() *Admin { return &Admin{Client: s.client()} }

// login exchanges a token of the issuer for credentials.
func (s *minioServer) login(t *testing.T, token string) *Client {
	t.Helper()
	credentials, err := s.client().AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return s.client().As(credentials)
}

// put writes the policies of the tenancy.
func (s *minioServer) put(t *testing.T, tenancy Tenancy) {
	t.Helper()
	policies, err := tenancy.Policies()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range policies {
		if err := s.admin().PutPolicy(t.Context(), p.Name, p.Policy); err != nil {
			t.Fatal(err)
		}
	}
}

// fill makes a bucket with one object in it.
func (s *minioServer) fill(t *testing.T, bucket, key string) {
	t.Helper()
	if _, err := s.client().CreateBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	if err := s.client().Put(t.Context(), bucket, key, []byte("content of "+bucket)); err != nil {
		t.Fatal(err)
	}
}
