package kube_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// B2: the token of a kubeconfig, which client-go adds to each request by itself, is not for a server that the API server names.
func TestB2KubeconfigTokenFollowsNoRedirect(t *testing.T) {
	var reached atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: a, clusters: [{name: a, cluster: {server: %q}}], users: [{name: a, user: {token: hunter2}}], contexts: [{name: a, context: {cluster: a, user: a}}]}`, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := clientFor(t, file)
	_, err := c.Clientset.CoreV1().Secrets("x").Get(t.Context(), "y", metav1.GetOptions{})
	if err == nil || !strings.Contains(err.Error(), "which is not followed") {
		t.Errorf("%v", err)
	}
	// Helm and discovery make clients of their own from the flags.
	discovery, err := c.Flags.ToDiscoveryClient()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := discovery.ServerVersion(); err == nil || !strings.Contains(err.Error(), "which is not followed") {
		t.Errorf("discovery: %v", err)
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the other server was asked %d times", n)
	}
}
