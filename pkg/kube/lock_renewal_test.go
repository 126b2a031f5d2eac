package kube_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

var (
	// quick is a lock that a test can see expire.
	quick = kube.LockTiming{Duration: time.Second, Renewal: 200 * time.Millisecond}
	// steady is renewed as often, and is not lost because the machine is busy.
	steady = kube.LockTiming{Duration: time.Minute, Renewal: 200 * time.Millisecond}
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// lockClient asks a function before each request about Leases; what it returns is how the request fails.
func lockClient(t *testing.T, cluster *kubetest.Cluster, before func(*http.Request) error) *kube.Client {
	t.Helper()
	config := rest.CopyConfig(cluster.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "/leases") {
				if err := before(r); err != nil {
					return nil, err
				}
			}
			return next.RoundTrip(r)
		})
	})
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &kube.Client{Clientset: clientset}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// renewedSince waits until the lock was renewed after a time.
func renewedSince(t *testing.T, c *kube.Client, ns string, at time.Time) {
	t.Helper()
	eventually(t, "the lock is renewed", func() bool { return readLease(t, c, ns, "lock").Spec.RenewTime.After(at) })
}

func wantHeld(t *testing.T, held *kube.Held) {
	t.Helper()
	select {
	case <-held.Lost():
		t.Fatal("lost without a reason")
	default:
	}
}

func wantLost(t *testing.T, held *kube.Held) {
	t.Helper()
	select {
	case <-held.Lost():
	case <-time.After(time.Minute):
		t.Fatal("nobody was told that the lock is lost")
	}
}

func TestLockIsRenewedEvenAfterItsContextEnded(t *testing.T) {
	_, c, ns := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	held, err := c.LockFor(ctx, ns, "lock", steady)
	if err != nil {
		t.Fatal(err)
	}
	first := readLease(t, c, ns, "lock")
	cancel()
	for range 3 {
		renewedSince(t, c, ns, time.Now())
	}
	if now := readLease(t, c, ns, "lock"); !now.Spec.AcquireTime.Equal(first.Spec.AcquireTime) {
		t.Errorf("first %+v, now %+v", first.Spec, now.Spec)
	}
	wantHeld(t, held)
	if err := held.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Clientset.CoordinationV1().Leases(ns).Get(t.Context(), "lock", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the lease is left behind: %v", err)
	}
}

func TestLockIsLostToWhoeverWritesIt(t *testing.T) {
	_, c, ns := connect(t)
	held, err := c.LockFor(t.Context(), ns, "lock", steady)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Clientset.CoordinationV1().Leases(ns).Delete(t.Context(), "lock", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	foreignLease(t, c, ns, time.Now())
	began := time.Now()
	wantLost(t, held)
	if took := time.Since(began); took > steady.Duration/2 {
		t.Errorf("told only after %s, when the lock would have ended", took)
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Errorf("got %v", err)
	}
	if got := *readLease(t, c, ns, "lock").Spec.HolderIdentity; got != "alice@desk/7" {
		t.Errorf("the other's lock is now %s", got)
	}
}

// A short failure is got over.
func TestLockIsRenewedAfterAFailure(t *testing.T) {
	cluster, c, ns := connect(t)
	var cut atomic.Bool
	var failures atomic.Int32
	held, err := lockClient(t, cluster, func(*http.Request) error {
		if !cut.Load() {
			return nil
		}
		failures.Add(1)
		return errors.New("the network is gone")
	}).LockFor(t.Context(), ns, "lock", steady)
	if err != nil {
		t.Fatal(err)
	}
	cut.Store(true)
	eventually(t, "renewals fail", func() bool { return failures.Load() >= 3 })
	back := time.Now()
	cut.Store(false)
	renewedSince(t, c, ns, back)
	wantHeld(t, held)
	if err := held.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLockIsLostWhenItCannotBeRenewedInTime(t *testing.T) {
	cluster, _, ns := connect(t)
	var cut atomic.Bool
	held, err := lockClient(t, cluster, func(*http.Request) error {
		if cut.Load() {
			return errors.New("the network is gone")
		}
		return nil
	}).LockFor(t.Context(), ns, "lock", quick)
	if err != nil {
		t.Fatal(err)
	}
	cut.Store(true)
	wantLost(t, held)
	if err := held.Unlock(t.Context()); err == nil {
		t.Error("the lock could not be given back, and nobody was told")
	}
}

// Something else may touch the Lease's labels, also between our looking and our writing; it is still ours to renew and to
// give back.
func TestLeaseThatIsTouchedIsStillOurs(t *testing.T) {
	cluster, c, ns := connect(t)
	api := c.Clientset.CoordinationV1().Leases(ns)
	touch := func() error {
		patch := []byte(`{"metadata": {"labels": {"touched": "` + fmt.Sprint(time.Now().UnixNano()) + `"}}}`)
		_, err := api.Patch(t.Context(), "lock", types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	}
	var left atomic.Int32
	held, err := lockClient(t, cluster, func(r *http.Request) error {
		if (r.Method == http.MethodPut || r.Method == http.MethodDelete) && left.Add(-1) >= 0 {
			return touch()
		}
		return nil
	}).LockFor(t.Context(), ns, "lock", steady)
	if err != nil {
		t.Fatal(err)
	}
	touched := time.Now()
	left.Store(3)
	eventually(t, "renewals meet the touched lease", func() bool { return left.Load() < 0 })
	renewedSince(t, c, ns, touched)
	wantHeld(t, held)
	left.Store(3)
	if err := held.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Get(t.Context(), "lock", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}

// A run that takes its own lock's namespace away keeps the lock until nothing is left, and longer than one renewal: nobody
// else can lock there.
func TestLockOutlivesItsNamespace(t *testing.T) {
	cluster, c, ns := connect(t)
	// Long enough for a busy machine, short enough to be outlived.
	timing := kube.LockTiming{Duration: 5 * time.Second, Renewal: 200 * time.Millisecond}
	held, err := c.LockFor(t.Context(), ns, "lock", timing)
	if err != nil {
		t.Fatal(err)
	}
	stillHeld := func(when string) {
		t.Helper()
		select {
		case <-held.Lost():
			t.Fatalf("lost %s", when)
		case <-time.After(timing.Duration + time.Second):
		}
	}
	namespaces := cluster.Clientset().CoreV1().Namespaces()
	if err := namespaces.Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Clientset.CoordinationV1().Leases(ns).Delete(t.Context(), "lock", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	stillHeld("while the namespace ends")
	cluster.EndNamespace(t, ns)
	stillHeld("when the namespace was gone")
	if _, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wantLost(t, held)
	if err := held.Unlock(t.Context()); err != nil {
		t.Errorf("got %v", err)
	}
}
