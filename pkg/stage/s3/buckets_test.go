package s3

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// Buckets are read several at a time and not all at once, in order, and one that goes meanwhile is left out. In a MinIO of others
// a bucket of nobody known is somebody else's, whatever it is called.
func TestBucketsAreReadTogether(t *testing.T) {
	var now, most atomic.Int64
	full := make(chan struct{})
	complete := sync.OnceFunc(func() { close(full) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			fmt.Fprint(w, "<ListAllMyBucketsResult><Buckets><Bucket><Name>projet-ours</Name></Bucket><Bucket><Name>projet-theirs</Name></Bucket>")
			for i := range 40 {
				fmt.Fprintf(w, "<Bucket><Name>user-%02d</Name></Bucket>", i)
			}
			fmt.Fprint(w, "<Bucket><Name>backup</Name></Bucket><Bucket><Name>user-uploads</Name></Bucket></Buckets></ListAllMyBucketsResult>")
			return
		}
		if r.URL.Path == "/minio/admin/v3/list-canned-policies" {
			fmt.Fprint(w, `{"projet-ours": {"ID": "kubectl-onyxia onyxia.demo.test", "Version": "2012-10-17", "Statement": []}, "projet-theirs": {"Version": "2012-10-17", "Statement": []}}`)
			return
		}
		// the first ones wait until as many are there as may be
		here := now.Add(1)
		defer now.Add(-1)
		most.Store(max(most.Load(), here))
		if here == atOnce {
			complete()
		}
		select {
		case <-full:
		case <-time.After(time.Minute):
		}
		if r.URL.Path == "/user-07" {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<Error><Code>NoSuchBucket</Code><Message>gone</Message></Error>")
			return
		}
		fmt.Fprint(w, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
	}))
	defer server.Close()
	s := siteOf(t, func(c *platform.Config) {
		elsewhere(c)
		c.S3.URL = server.URL
	})
	s.env.Kube.Clientset = fake.NewClientset(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"},
		Data: map[string][]byte{"rootUser": []byte("root"), "rootPassword": []byte("secret-of-a-test")}})
	off := false
	b := &bucketSettings{site: s, versioning: &off, users: func(context.Context) (names []string, _ error) {
		for i := range 40 {
			names = append(names, fmt.Sprintf("%02d", i))
		}
		return names, nil
	}}
	seen, err := b.Observe(t.Context())
	if err != nil || len(seen) != 40 {
		t.Fatalf("%d buckets, %v", len(seen), err)
	}
	for i, each := range seen {
		if each.Versioning != "Enabled" || i > 0 && strings.Compare(seen[i-1].Name, each.Name) >= 0 || slices.Contains([]string{"user-07", "backup", "user-uploads", "projet-theirs"}, each.Name) {
			t.Errorf("%d: %+v", i, each)
		}
	}
	if got := most.Load(); got != atOnce {
		t.Errorf("%d requests at a time", got)
	}
	if got := len(b.Plan(seen).Fields); got != 40 {
		t.Errorf("%d to suspend", got)
	}
}
