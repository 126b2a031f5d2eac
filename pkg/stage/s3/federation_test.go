package s3

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/vaulttest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3/minio"
)

// shell runs what is printed, as printed, in a folder, with mc's ALIAS for that server.
type shell struct {
	folder string
	env    []string
}

func newShell(t *testing.T, m *minioProcess, kubectl string) *shell {
	t.Helper()
	mc, bin := testbed.Program(t, "mc"), t.TempDir()
	if err := os.Symlink(mc, filepath.Join(bin, "mc")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "kubectl"), []byte("#!/bin/sh\n"+kubectl), 0o700); err != nil {
		t.Fatal(err)
	}
	return &shell{folder: t.TempDir(), env: append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "MC_CONFIG_DIR="+t.TempDir(),
		"MC_HOST_ALIAS=http://root:password@"+m.address)}
}

func (s *shell) run(t *testing.T, command string) (string, error) {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env = s.folder, s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The printed command gives a MinIO that others run our provider, and leaves the rest of its configuration.
func TestPrintedProvider(t *testing.T) {
	lab := newLab(t, nil)
	issuer := vaulttest.StartIssuer(t)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, []byte(issuer.CAPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", authority)
	m := startMinIO(t, "root", "password", issuer.URL())
	m.stop()
	m.env = slices.DeleteFunc(m.env, func(each string) bool { return strings.HasPrefix(each, "MINIO_IDENTITY_OPENID_") })
	m.run(t)
	const value = "a-secret-of-nobody"
	namespace := lab.env.Platform.App.Namespace
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: minio.ClientSecret}, StringData: map[string]string{minio.ClientSecretKey: value}}
	if _, err := lab.cluster.Clientset().CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p := lab.env.Platform
	p.S3.Mode, p.S3.Kind, p.Auth.Mode, p.Auth.URL = platform.S3External, platform.S3KindMinIO, platform.AuthOIDC, issuer.URL()
	documents, err := Documents(t.Context(), p)
	if err != nil || len(documents) != 1 || !strings.Contains(documents[0].Note, "replaces its default OpenID provider") {
		t.Fatalf("%v %v", documents, err)
	}
	command := documents[0].Command
	kubectl := "exec " + testbed.Program(t, "kubectl") + ` --kubeconfig=` + lab.cluster.User(t, "admin-of-test", "system:masters") + ` "$@"`
	sh := newShell(t, m, kubectl)
	await(t, func() bool { _, err := sh.run(t, "mc admin config set ALIAS compression enable=on"); return err == nil })
	// The environment of this MinIO names a target of its own, as that of others may.
	before, err := sh.run(t, "mc admin config export ALIAS")
	if err != nil || !strings.Contains(before, "\naudit_webhook:TEST \n") || !strings.Contains(before, "\ncompression ") || !strings.Contains(before, "\n# identity_openid ") {
		t.Fatalf("%v\n%s", err, before)
	}
	unharmed := func(when string) {
		t.Helper()
		if now, err := sh.run(t, "mc admin config export ALIAS"); err != nil || now != before {
			t.Errorf("%s the configuration is another: %v\n%s", when, err, now)
		}
	}
	// What is not there cannot be imported.
	for name, broken := range map[string]*shell{"no Secret": newShell(t, m, "exit 1"), "no export": {folder: t.TempDir(), env: append(sh.env, "MC_HOST_ALIAS=http://root:wrong@"+m.address)}} {
		if out, err := broken.run(t, command); err == nil {
			t.Errorf("%s: no error\n%s", name, out)
		}
		unharmed(name)
	}
	for _, when := range []string{"first", "once more"} {
		// A server that goes before it has answered is told as one that could not be restarted: mc asks twice.
		cut := func(out string) bool {
			return strings.Contains(out, "Setting new key has been successful") && strings.Contains(out, "Unable to restart the server")
		}
		if out, err := sh.run(t, command); err != nil && !cut(out) || strings.Contains(out, value) {
			t.Fatalf("%s: %v\n%s", when, err, out)
		}
		var after string
		await(t, func() bool {
			after, err = sh.run(t, "mc admin config export ALIAS")
			return err == nil && strings.Contains(after, "config_url="+issuer.URL())
		})
		if !strings.Contains(after, "\ncompression ") || strings.Count(after, "identity_openid ") != 1 || !strings.Contains(after, "\naudit_webhook:TEST ") || !strings.Contains(after, "client_secret="+value) {
			t.Errorf("%s:\n%s", when, after)
		}
	}
	saved, err := filepath.Glob(filepath.Join(sh.folder, "minio-config.*"))
	if err != nil || len(saved) != 2 {
		t.Fatalf("%v %v", saved, err)
	}
	for _, file := range saved {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
	}
	// It works: a token of the issuer is taken, one that anybody signs is not.
	root := &s3.Client{Endpoint: m.url(), Credentials: s3.NewCredentials("root", "password", "", time.Time{})}
	check := s3.Check{S3: root, Tenancy: s3.For(p, nil), Issuer: issuer.URL(), Audience: platform.S3ConsoleClientID}
	await(t, func() bool { err = check.Run(t.Context(), func(string) {}); return err == nil })
}

// await tries for a minute: a server starts anew meanwhile.
func await(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within a minute")
		}
	}
}
