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
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

func readLease(t *testing.T, c *kube.Client, ns, name string) *coordinationv1.Lease {
	t.Helper()
	l, err := c.Clientset.CoordinationV1().Leases(ns).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// foreignLease is a lock of a person on another machine, for a minute.
func foreignLease(t *testing.T, c *kube.Client, ns string, renewed time.Time) {
	t.Helper()
	foreignLeaseFor(t, c, ns, renewed, 60)
}

func foreignLeaseFor(t *testing.T, c *kube.Client, ns string, renewed time.Time, seconds int32) {
	t.Helper()
	holder, at := "alice@desk/7", metav1.NewMicroTime(renewed)
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

func TestExpiredLockOfAnotherMachineIsTakenOver(t *testing.T) {
	tests := map[string]struct {
		age   time.Duration
		taken bool
	}{
		"fresh":                 {age: 0},
		"a clock ahead of ours": {age: -time.Hour},
		"expired long ago":      {age: time.Hour, taken: true},
		"expired just now":      {age: 5 * time.Minute, taken: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, c, ns := connect(t)
			foreignLeaseFor(t, c, ns, time.Now().Add(-tt.age), 2)
			told := ""
			timing := kube.LockTiming{Duration: time.Second, Renewal: 200 * time.Millisecond, Watching: func(holder string, during time.Duration) {
				told = fmt.Sprintf("%s for %s", holder[:len("alice@desk/7")], during)
			}}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			began := time.Now()
			held, err := c.LockFor(ctx, ns, "lock", timing)
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
			if took := time.Since(began); tt.taken && (took < 2*time.Second || told != "alice@desk/7 for 2s") || !tt.taken && told != "" {
				t.Errorf("took %s, told %q", took, told)
			}
		})
	}
}

// D: the holder's clock is behind ours, be it by hours, so its lock looks expired; but it lives: it renews while we watch.
func TestDLockThatOnlySeemsExpiredIsLeftAlone(t *testing.T) {
	cluster, c, ns := connect(t)
	foreignLease(t, c, ns, time.Now().Add(-5*time.Hour))
	looks := 0
	watcher := lockClient(t, cluster, func(r *http.Request) error {
		if looks++; looks == 2 {
			l := readLease(t, c, ns, "lock")
			at := metav1.NewMicroTime(time.Now().Add(-5 * time.Hour))
			l.Spec.RenewTime = &at
			_, err := c.Clientset.CoordinationV1().Leases(ns).Update(t.Context(), l, metav1.UpdateOptions{})
			return err
		}
		return nil
	})
	_, err := watcher.LockFor(t.Context(), ns, "lock", kube.LockTiming{Duration: time.Minute, Renewal: 200 * time.Millisecond})
	var locked *kube.LockedError
	if !errors.As(err, &locked) || looks != 2 {
		t.Fatalf("a living run lost its lock after %d looks: %v", looks, err)
	}
	if said := err.Error(); !strings.HasSuffix(said, "wait for it to end") {
		t.Errorf("an end by another clock is told: %s", said)
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

func TestLockHolder(t *testing.T) {
	fresh := func(t *testing.T, c *kube.Client, ns string) { foreignLease(t, c, ns, time.Now().Add(time.Hour)) }
	tests := map[string]struct {
		make func(*testing.T, *kube.Client, string)
		want string
	}{
		"nobody":          {make: func(*testing.T, *kube.Client, string) {}},
		"another machine": {make: fresh, want: "alice@desk/7"},
		"expired":         {make: func(t *testing.T, c *kube.Client, ns string) { foreignLease(t, c, ns, time.Now().Add(-5*time.Minute)) }},
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
	time.Sleep(time.Hour)
}

func TestLockOfAKilledProcessIsTakenOverAtOnce(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("only Linux tells about other processes")
	}
	cluster, c, ns := connect(t)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHoldLockAndBeKilled$")
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
	// Before it would have ended by itself.
	if err != nil || time.Since(began) > kube.DefaultLockTiming().Duration {
		t.Fatalf("after %s: %v", time.Since(began), err)
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// lost is a lock that is over, and whose run does not know it yet.
type lost struct{}

func (lost) Lost() <-chan struct{}        { return nil }
func (lost) Held() bool                   { return false }
func (lost) Unlock(context.Context) error { return nil }

// D: a writer that lost the lock writes nothing more, not even what is left of a step.
func TestDWriterThatLostTheLockWritesNothingMore(t *testing.T) {
	_, c, ns := connect(t)
	acquire := func(context.Context) (engine.Lock, error) { return lost{}, nil }
	err := engine.WithLock(t.Context(), acquire, func(ctx context.Context) error {
		if _, err := c.Clientset.CoreV1().ConfigMaps(ns).List(ctx, metav1.ListOptions{}); err != nil {
			t.Errorf("not even a look: %v", err)
		}
		_, err := c.Clientset.CoreV1().ConfigMaps(ns).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "late"}}, metav1.CreateOptions{})
		return err
	})
	if !errors.Is(err, engine.ErrLockLost) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Clientset.CoreV1().ConfigMaps(ns).Get(t.Context(), "late", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("it was written: %v", err)
	}
}
