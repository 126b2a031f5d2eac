// Package kubetest gives tests a real Kubernetes API: etcd and kube-apiserver as plain processes on loopback, without
// root and without a node. Nothing in it pretends to be the API server; only what a node and the controllers would
// write (the status of workloads) is written by the tests themselves, see MakeReady.
package kubetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// startTimeout is how long etcd and the API server may take together; on two idle cores they take about 4 seconds.
const startTimeout = 90 * time.Second

// Cluster is a running API server. Its users may do everything; make one with fewer rights with User.
type Cluster struct {
	// Kubeconfig is the path of a kubeconfig for the user "admin".
	Kubeconfig string
	// Config is the same for client-go; copy it before changing it.
	Config *rest.Config
	// Address is the API server's URL.
	Address string

	dir       string
	pki       *pki
	processes []*process
	// releases give back the ports that are held.
	releases []func() error
	// own is the connection of the test itself; what it writes is not counted by Writes.
	own  kubernetes.Interface
	node *node
	once sync.Once
}

// shared is the cluster of a test binary whose TestMain calls Run. A test binary is the only thing that has one, and it
// has to outlive the single test, so it cannot hang on a testing.TB.
var shared struct {
	sync.Mutex
	wanted  bool
	cluster *Cluster
	err     error
}

// Run runs the tests of a package with one cluster for all of them, started by the first test that asks for it:
//
//	func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }
func Run(m *testing.M) int {
	shared.Lock()
	shared.wanted = true
	shared.Unlock()
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		shared.cluster.stop()
	}
	return code
}

// Start gives a running cluster: the package's own when TestMain calls Run, else one that ends with this test. A
// cluster that cannot be started fails the test.
func Start(t testing.TB) *Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.wanted {
		return StartOther(t)
	}
	if shared.cluster == nil && shared.err == nil {
		shared.cluster, shared.err = start()
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}

// StartOther gives a cluster of the test's own, beside the package's. It ends with the test.
func StartOther(t testing.TB) *Cluster {
	t.Helper()
	c, err := start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return c
}

// Flags are kubectl's flags set to this cluster, with a discovery cache of their own.
func (c *Cluster) Flags(t testing.TB) *genericclioptions.ConfigFlags {
	return FlagsFor(t, c.Kubeconfig)
}

// FlagsFor are kubectl's flags set to a kubeconfig, with a discovery cache of their own.
func FlagsFor(t testing.TB, kubeconfig string) *genericclioptions.ConfigFlags {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(true)
	cache := t.TempDir()
	flags.KubeConfig, flags.CacheDir = &kubeconfig, &cache
	return flags
}

// Clientset is the connection of the test itself. What it writes is not counted by Writes.
func (c *Cluster) Clientset() kubernetes.Interface { return c.own }

// Namespace makes a namespace for one test.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	name := "t-" + strings.ToLower(randomText(8))
	meta := metav1.ObjectMeta{Name: name}
	if _, err := c.own.CoreV1().Namespaces().Create(t.Context(), namespaceOf(meta), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

// User makes a kubeconfig for another user, who has no rights but those that the test grants.
func (c *Cluster) User(t testing.TB, name string, groups ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".kubeconfig")
	if err := c.writeKubeconfig(path, name, groups...); err != nil {
		t.Fatal(err)
	}
	return path
}

func start() (_ *Cluster, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "kubetest")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	if c.pki, err = newPKI(dir); err != nil {
		return nil, err
	}
	return c, c.launch(bin)
}

// launch starts etcd and the API server and waits until it answers.
func (c *Cluster) launch(bin string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ports, err := c.holdPorts(3)
	if err != nil {
		return err
	}
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	c.Address = fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	etcd, err := spawn(filepath.Join(c.dir, "etcd.log"), filepath.Join(bin, "etcd"), etcdFlags(filepath.Join(c.dir, fmt.Sprint("etcd-", ports[0])), client, peer)...)
	if err != nil {
		return err
	}
	c.processes = append(c.processes, etcd)
	if err := c.writeAuditPolicy(); err != nil {
		return err
	}
	api, err := spawn(filepath.Join(c.dir, "apiserver.log"), filepath.Join(bin, "kube-apiserver"), c.apiserverFlags(client, ports[2])...)
	if err != nil {
		return err
	}
	c.processes = append(c.processes, api)
	return c.connect(ctx)
}

// connect waits for the API server, and for what it makes itself: its namespaces, of which "default" is the last, and its
// Service, after which others get addresses too.
func (c *Cluster) connect(ctx context.Context) error {
	c.Kubeconfig = filepath.Join(c.dir, "admin.kubeconfig")
	if err := c.writeKubeconfig(c.Kubeconfig, "admin", "system:masters"); err != nil {
		return err
	}
	var err error
	if c.Config, err = c.restConfig("admin", "system:masters"); err != nil {
		return err
	}
	own, err := c.restConfig(ownUser, "system:masters")
	if err != nil {
		return err
	}
	own.QPS = -1
	if c.own, err = kubernetes.NewForConfig(own); err != nil {
		return err
	}
	for {
		if err = c.answers(ctx); err == nil {
			return nil
		}
		for _, p := range c.processes {
			if p.ended() {
				return fmt.Errorf("%s ended early: %s", p.name, p.tail())
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the API server did not answer within %s: %w", startTimeout, err), errors.New(c.processes[len(c.processes)-1].tail()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *Cluster) answers(ctx context.Context) error {
	if err := c.own.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		return err
	}
	if _, err := c.own.CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{}); err != nil {
		return err
	}
	_, err := c.own.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	return err
}

func (c *Cluster) holdPorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		port, release, err := testbed.Hold()
		if err != nil {
			return nil, err
		}
		ports[i], c.releases = port, append(c.releases, release)
	}
	return ports, nil
}

func (c *Cluster) stop() {
	c.once.Do(func() {
		if c.node != nil {
			c.node.server.Close()
		}
		for _, p := range c.processes {
			p.stop()
		}
		for _, release := range c.releases {
			// A port is given back at the end of the test's process at the latest.
			_ = release()
		}
		// What is left of a temporary directory is the system's to clean.
		_ = os.RemoveAll(c.dir)
	})
}
