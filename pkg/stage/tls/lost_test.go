package tls

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/test/chaos"
)

// as makes the environment anew with another connection.
func (s *site) as(t *testing.T, kubeconfig string) {
	t.Helper()
	client, err := kube.Connect(kubetest.FlagsFor(t, kubeconfig))
	if err != nil {
		t.Fatal(err)
	}
	s.env.Kube = client
}

// C5 (review of 2026-11): the write of the Secret fails, and the certificate that was ordered is lost.
func TestC5CertificateIsNotLostWithItsWrite(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	tls, err := rest.TLSConfigFor(s.cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := chaos.New(s.cluster.Address, tls, chaos.Options{
		Counts: func(r *http.Request) bool {
			return chaos.Changes(r) && strings.Contains(r.URL.Path, "/namespaces/"+s.config.Ingress.Namespace+"/secrets")
		},
		Choose: func(chaos.Write) chaos.Fault { return chaos.Answer500 },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(proxy)
	defer server.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, chaos.Kubeconfig(server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	s.as(t, kubeconfig)
	_, err = s.issue(t.Context(), t, Options{Progress: s.tell})
	if err == nil || !strings.Contains(err.Error(), "is not lost") || !strings.Contains(err.Error(), "the API server answered 500") {
		t.Fatalf("got %v", err)
	}
	s.complete(t)
	s.must(t, Options{Progress: s.tell}, engine.Create)
	if said := s.transcript(); strings.Count(said, "ordered a certificate") != 1 {
		t.Errorf("said:\n%s", said)
	}
	if n := strings.Count(s.ca.Log(), "There are now 1 orders") + strings.Count(s.ca.Log(), "There are now 2 orders"); n > 1 {
		t.Errorf("the authority has %d orders", n)
	}
	// Once it is in place nothing of the order is kept, and a renewal is one.
	account, err := (accounts{kube: s.env.Kube, namespace: s.config.App.Namespace}).load(t.Context(), s.ca.Directory)
	if err != nil || account.Pending != nil || account.URI == "" {
		t.Errorf("%v, %v, %v", account, account.Pending, err)
	}
}

// C5: nothing is ordered for a user who may not write the Secret.
func TestC5RightToWriteIsTriedBeforeOrdering(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	set := s.cluster.Clientset().RbacV1()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "reader-" + s.config.App.Namespace}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets", "namespaces", "nodes"}, Verbs: []string{"get", "list"}},
	}}
	if _, err := set.ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	user := "reader-" + s.config.App.Namespace
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role.Name}, Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: user}}, RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: role.Name}}
	if _, err := set.ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.as(t, s.cluster.User(t, user))
	asked := s.ca.Requests()
	_, err := s.issue(t.Context(), t, Options{})
	if err == nil || !strings.Contains(err.Error(), "create secrets") {
		t.Errorf("got %v", err)
	}
	if n := s.ca.Requests() - asked; n != 0 {
		t.Errorf("the authority was asked %d times", n)
	}
}
