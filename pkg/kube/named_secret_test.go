package kube_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestNamedSecret(t *testing.T) {
	_, c, ns := connect(t)
	made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}, StringData: map[string]string{"username": "root", "password": "p", "empty": ""}}
	if _, err := c.Clientset.CoreV1().Secrets(ns).Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := c.NamedSecret(t.Context(), "s3.credentialsSecret", ns+"/theirs", "username", "password")
	if err != nil || len(got) != 2 || got["username"] != "root" || got["password"] != "p" {
		t.Errorf("%v, %v", got, err)
	}
	for name, tc := range map[string]struct {
		reference, field, want string
	}{
		"the password itself": {"hunter2", "password", "s3.credentialsSecret: not namespace/name of a Secret"},
		"no name":             {ns + "/", "password", "s3.credentialsSecret: not namespace/name of a Secret"},
		"not there":           {ns + "/other", "password", "there is no secret " + ns + "/other; make it by `kubectl -n " + ns + " create secret generic other --from-file=password=FILE`"},
		"another key":         {ns + "/theirs", "token", "secret " + ns + "/theirs has no key \"token\""},
		"an empty key":        {ns + "/theirs", "empty", "has no key \"empty\""},
	} {
		_, err := c.NamedSecret(t.Context(), "s3.credentialsSecret", tc.reference, tc.field)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}
