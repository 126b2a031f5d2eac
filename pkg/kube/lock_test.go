package kube_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// quick is a lock that a test can see expire.
var quick = kube.LockTiming{Duration: time.Second, Renewal: 200 * time.Millisecond}

func readLease(t *testing.T, c *kube.Client, ns, name string) *coordinationv1.Lease {
	t.Helper()
	l, err := c.Clientset.CoordinationV1().Leases(ns).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// foreignLease is a lock of somebody on another machine.
func foreignLease(t *testing.T, c *kube.Client, ns string, renewed time.Time) {
	t.Helper()
	holder, seconds, at := "alice@desk/7", int32(1), metav1.NewMicroTime(renewed)
	l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "lock", Annotations: map[string]string{"kubectl-onyxia/process": "elsewhere-1/7/1"}},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &at, RenewTime: &at}}
	if _, err := c.Clientset.CoordinationV1().Leases(ns).Create(t.Context(), l, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestLockIsHeldByOneAtATime(t *testing.T) {
	_, c, ns := connect(t)
	held, err := c.Lock(t.Context(), ns, "lock")
	if err != nil {
		t.Fatal(err)
	}
	l := readLease(t, c, ns, "lock")
	host, _ := os.Hostname()
	if want := fmt.Sprintf("@%s/%d", host, os.Getpid()); !strings.HasSuffix(*l.Spec.HolderIdentity, want) || *l.Spec.LeaseDurationSeconds != 30 {
		t.Errorf("lease %+v", l.Spec)
	}
	_, err = c.Lock(t.Context(), ns, "lock")
	var locked *kube.LockedError
	if !errors.As(err, &locked) || locked.Holder != *l.Spec.HolderIdentity || time.Since(locked.Since) > time.Minute {
		t.Fatalf("got %v", err)
	}
	if said := err.Error(); !strings.Contains(said, locked.Holder) || !strings.Contains(said, locked.Expires.UTC().Format(time.RFC3339)) {
		t.Errorf("the message names no holder or no end: %s", said)
	}
	another, err := c.Lock(t.Context(), ns, "another")
	if err != nil {
		t.Fatalf("another lock is another lock: %v", err)
	}
	if err := another.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Errorf("unlocking twice: %v", err)
	}
	again, err := c.Lock(t.Context(), ns, "lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyOneOfManyGetsTheLock(t *testing.T) {
	_, c, ns := connect(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var held *kube.Held
	winners, losers := 0, 0
	for range 12 {
		wg.Go(func() {
			got, err := c.Lock(t.Context(), ns, "lock")
			var locked *kube.LockedError
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				winners++
				held = got
			case errors.As(err, &locked):
				losers++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if winners != 1 || losers != 11 {
		t.Fatalf("%d got it, %d were told so", winners, losers)
	}
	// A lock that nobody gives back is renewed, and the tests after this one count writes.
	if err := held.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLockIsRenewedEvenAfterItsContextEnded(t *testing.T) {
	_, c, ns := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	held, err := c.LockFor(ctx, ns, "lock", quick)
	if err != nil {
		t.Fatal(err)
	}
	first := readLease(t, c, ns, "lock")
	cancel()
	time.Sleep(1500 * time.Millisecond)
	now := readLease(t, c, ns, "lock")
	if time.Since(now.Spec.RenewTime.Time) > time.Second || !now.Spec.AcquireTime.Equal(first.Spec.AcquireTime) {
		t.Errorf("first %+v, now %+v", first.Spec, now.Spec)
	}
	select {
	case <-held.Lost():
		t.Error("lost without a reason")
	default:
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Clientset.CoordinationV1().Leases(ns).Get(t.Context(), "lock", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the lease is left behind: %v", err)
	}
}

func TestExpiredLockOfAnotherMachineIsTakenOver(t *testing.T) {
	tests := map[string]struct {
		age   time.Duration
		taken bool
		slow  bool
	}{
		"fresh":                         {age: 0},
		"a clock ahead of ours":         {age: -time.Hour},
		"expired by any clock":          {age: time.Hour, taken: true},
		"expired, unless clocks differ": {age: 5 * time.Second, taken: true, slow: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, c, ns := connect(t)
			foreignLease(t, c, ns, time.Now().Add(-tt.age))
			began := time.Now()
			held, err := c.LockFor(t.Context(), ns, "lock", quick)
			var locked *kube.LockedError
			switch {
			case tt.taken && err != nil:
				t.Fatal(err)
			case !tt.taken && (!errors.As(err, &locked) || locked.Holder != "alice@desk/7"):
				t.Fatalf("got %v", err)
			case tt.taken:
				if err := held.Unlock(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if watched := time.Since(began) >= quick.Renewal; watched != tt.slow {
				t.Errorf("took %s", time.Since(began))
			}
		})
	}
}

// The holder's clock is behind ours, so its lock looks expired; but it lives.
func TestLockThatOnlySeemsExpiredIsLeftAlone(t *testing.T) {
	_, c, ns := connect(t)
	foreignLease(t, c, ns, time.Now().Add(-time.Minute))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				l := readLease(t, c, ns, "lock")
				at := metav1.NewMicroTime(time.Now().Add(-time.Minute))
				l.Spec.RenewTime = &at
				if _, err := c.Clientset.CoordinationV1().Leases(ns).Update(t.Context(), l, metav1.UpdateOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	_, err := c.LockFor(t.Context(), ns, "lock", quick)
	close(stop)
	wg.Wait()
	var locked *kube.LockedError
	if !errors.As(err, &locked) {
		t.Errorf("a living run lost its lock: %v", err)
	}
}

func TestLockIsLostToWhoeverWritesIt(t *testing.T) {
	_, c, ns := connect(t)
	held, err := c.LockFor(t.Context(), ns, "lock", quick)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Clientset.CoordinationV1().Leases(ns).Delete(t.Context(), "lock", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	foreignLease(t, c, ns, time.Now())
	select {
	case <-held.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told")
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Errorf("got %v", err)
	}
	if got := *readLease(t, c, ns, "lock").Spec.HolderIdentity; got != "alice@desk/7" {
		t.Errorf("the other's lock is now %s", got)
	}
}

func TestLockIsLostWhenItCannotBeRenewedInTime(t *testing.T) {
	cluster, _, ns := connect(t)
	var cut atomic.Bool
	config := rest.CopyConfig(cluster.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if cut.Load() {
				return nil, errors.New("the network is gone")
			}
			return next.RoundTrip(r)
		})
	})
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	held, err := (&kube.Client{Clientset: clientset}).LockFor(t.Context(), ns, "lock", quick)
	if err != nil {
		t.Fatal(err)
	}
	// A short failure is got over.
	cut.Store(true)
	time.Sleep(quick.Duration / 2)
	cut.Store(false)
	select {
	case <-held.Lost():
		t.Fatal("given up too early")
	case <-time.After(quick.Duration):
	}
	cut.Store(true)
	select {
	case <-held.Lost():
	case <-time.After(5 * quick.Duration):
		t.Fatal("nobody was told")
	}
	if err := held.Unlock(t.Context()); err == nil {
		t.Error("the lock could not be given back, and nobody was told")
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Something else may touch the Lease's labels; it is still ours to renew and to give back.
func TestLeaseThatIsTouchedIsStillOurs(t *testing.T) {
	_, c, ns := connect(t)
	held, err := c.LockFor(t.Context(), ns, "lock", quick)
	if err != nil {
		t.Fatal(err)
	}
	api := c.Clientset.CoordinationV1().Leases(ns)
	touch := func() {
		patch := []byte(`{"metadata": {"labels": {"touched": "` + fmt.Sprint(time.Now().UnixNano()) + `"}}}`)
		if _, err := api.Patch(t.Context(), "lock", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	touch()
	select {
	case <-held.Lost():
		t.Fatal("lost because of a label")
	case <-time.After(3 * quick.Renewal):
	}
	if renewed := readLease(t, c, ns, "lock").Spec.RenewTime; time.Since(renewed.Time) > quick.Duration {
		t.Errorf("not renewed since %s", renewed)
	}
	touch()
	if err := held.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Get(t.Context(), "lock", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}

func TestLockInAnEndingNamespace(t *testing.T) {
	cluster, c, ns := connect(t)
	if err := cluster.Clientset().CoreV1().Namespaces().Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Lock(t.Context(), ns, "lock"); err == nil || !strings.Contains(err.Error(), "namespace "+ns+" is being deleted") {
		t.Errorf("got %v", err)
	}
}

// A run that takes its own lock's namespace away keeps the lock until nothing is left, and longer than one renewal: nobody
// else can lock there.
func TestLockOutlivesItsNamespace(t *testing.T) {
	cluster, c, ns := connect(t)
	held, err := c.LockFor(t.Context(), ns, "lock", quick)
	if err != nil {
		t.Fatal(err)
	}
	stillHeld := func(when string) {
		t.Helper()
		select {
		case <-held.Lost():
			t.Fatalf("lost %s", when)
		case <-time.After(2 * quick.Duration):
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
	select {
	case <-held.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("held although others can lock there now")
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestLockHolder(t *testing.T) {
	fresh := func(t *testing.T, c *kube.Client, ns string) { foreignLease(t, c, ns, time.Now().Add(time.Hour)) }
	tests := map[string]struct {
		make func(*testing.T, *kube.Client, string)
		want string
	}{
		"nobody":          {make: func(*testing.T, *kube.Client, string) {}},
		"another machine": {make: fresh, want: "alice@desk/7"},
		"expired":         {make: func(t *testing.T, c *kube.Client, ns string) { foreignLease(t, c, ns, time.Now().Add(-time.Minute)) }},
		"this process": {make: func(t *testing.T, c *kube.Client, ns string) {
			held, err := c.Lock(t.Context(), ns, "lock")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := held.Unlock(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, c, ns := connect(t)
			tt.make(t, c, ns)
			found, err := c.LockHolder(t.Context(), ns, "lock")
			if err != nil {
				t.Fatal(err)
			}
			if got := holderNamed(found); got != tt.want {
				t.Errorf("holder %q, want %q", got, tt.want)
			}
		})
	}
}

func holderNamed(e *kube.LockedError) string {
	if e == nil {
		return ""
	}
	return e.Holder
}

func TestLockInANamespaceThatIsNotThere(t *testing.T) {
	_, c, _ := connect(t)
	_, err := c.Lock(t.Context(), "nowhere", "lock")
	var missing *kube.NoNamespaceError
	if !errors.As(err, &missing) || missing.Namespace != "nowhere" || !strings.Contains(err.Error(), "namespace nowhere is not there") {
		t.Errorf("got %v", err)
	}
}

// TestHoldLockAndBeKilled is not a test of its own: it is the process that the next test kills.
func TestHoldLockAndBeKilled(t *testing.T) {
	kubeconfig := os.Getenv("HOLD_LOCK_KUBECONFIG")
	if kubeconfig == "" {
		t.Skip("only as a child of TestLockOfAKilledProcessIsTakenOverAtOnce")
	}
	if _, err := clientFor(t, kubeconfig).Lock(t.Context(), os.Getenv("HOLD_LOCK_NAMESPACE"), "lock"); err != nil {
		t.Fatal(err)
	}
	fmt.Println("held")
	time.Sleep(time.Minute)
}

func TestLockOfAKilledProcessIsTakenOverAtOnce(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("only Linux tells about other processes")
	}
	cluster, c, ns := connect(t)
	child := exec.Command(os.Args[0], "-test.run=^TestHoldLockAndBeKilled$")
	child.Env = append(os.Environ(), "HOLD_LOCK_KUBECONFIG="+cluster.Kubeconfig, "HOLD_LOCK_NAMESPACE="+ns)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 4)
	if _, err := io.ReadFull(out, line); err != nil || string(line) != "held" {
		t.Fatalf("%q %v", line, err)
	}
	var locked *kube.LockedError
	if _, err := c.Lock(t.Context(), ns, "lock"); !errors.As(err, &locked) {
		t.Fatalf("a living process lost its lock: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	began := time.Now()
	held, err := c.Lock(t.Context(), ns, "lock")
	if err != nil || time.Since(began) > 5*time.Second {
		t.Fatalf("after %s: %v", time.Since(began), err)
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
}
