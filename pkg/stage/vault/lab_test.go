package vault

import (
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/stagetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/vaulttest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// timeout is how long anything may take that is waited for on a busy machine.
const timeout = 3 * time.Minute

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// lab is a real API server and, if asked for, a real Vault as its pod vault-0: port-forward and exec go through the API
// server to the process.
type lab struct {
	cluster *kubetest.Cluster
	server  *vaulttest.Server
	env     stage.Env

	mu   sync.Mutex
	said []string
}

func newLab(t *testing.T, change func(*platform.Config)) *lab {
	t.Helper()
	return newLabIn(t, kubetest.Start(t), change)
}

func newLabIn(t *testing.T, cluster *kubetest.Cluster, change func(*platform.Config)) *lab {
	t.Helper()
	l := &lab{cluster: cluster}
	config := platform.Config{Domain: "demo.test"}
	config.App.Namespace, config.Vault.Namespace, config.Auth.Namespace = l.cluster.Namespace(t), l.cluster.Namespace(t), l.cluster.Namespace(t)
	if change != nil {
		change(&config)
	}
	p, err := platform.Complete(config)
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := profile.Load(p.Profile)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.Connect(l.cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	l.env = stage.Env{
		Platform: p, Profile: catalogue, Kube: client, Helm: &helm.Client{Kube: client}, Links: stage.NewLinks(), Warn: l.say,
		Present: map[string]bool{"ingress": true, "tls": true, "auth": true, Name: true}, Keycloak: stage.NewKeycloak(p, client),
	}
	return l
}

func (l *lab) say(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, line)
}

func (l *lab) transcript() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.said, "\n")
}

func (l *lab) namespace() string { return l.env.Platform.Vault.Namespace }

// runServer starts the Vault and makes its pod and its volume, as the StatefulSet and its node would.
func (l *lab) runServer(t *testing.T) {
	t.Helper()
	l.server = vaulttest.Start(t, vaulttest.Raft)
	l.makeVolume(t)
	l.makePod(t)
}

func (l *lab) makePod(t *testing.T) {
	t.Helper()
	l.makePodOf(t, "vault-0", l.server)
}

func (l *lab) makePodOf(t *testing.T, name string, server *vaulttest.Server) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: l.namespace()}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "vault", Image: "none"}}}}
	l.cluster.BackPod(t, pod, port, strings.TrimPrefix(server.Address, "http://"))
	l.cluster.Execute(t, l.namespace(), name, func(command []string, stdin io.Reader, stdout, stderr io.Writer) int {
		// In the pod the volume is here.
		for i := range command {
			if command[i] == l.release().DataFolder() {
				command[i] = server.Folder
			}
		}
		return server.Exec(command, stdin, stdout, stderr)
	})
}

func (l *lab) release() vault.Release { return vault.Release{Flavor: l.env.Platform.Vault.Flavor} }

func (l *lab) makeVolume(t *testing.T) {
	t.Helper()
	l.makeVolumeOf(t, "vault-0")
}

func (l *lab) makeVolumeOf(t *testing.T, server string) {
	t.Helper()
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data-" + server}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}
	if _, err := l.cluster.Clientset().CoreV1().PersistentVolumeClaims(l.namespace()).Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// controllers does what the controllers and the node do when the volume and the pod of a StatefulSet are deleted: the claim
// goes once the pod that used it has ended, and both are made anew. The new pod runs before the claim goes: one that is
// pending then would be deleted while its status is being written.
func (l *lab) controllers(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	api := l.cluster.Clientset().CoreV1()
	go func() {
		defer close(done)
		for renewed := false; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
			pod, err := api.Pods(l.namespace()).Get(ctx, "vault-0", metav1.GetOptions{})
			switch {
			case apierrors.IsNotFound(err):
				l.server.Kill()
				l.server.Empty(t)
				l.server.Run(t)
				l.makePod(t)
				renewed = true
			case err == nil && pod.DeletionTimestamp != nil:
				l.cluster.EndPod(t, l.namespace(), "vault-0")
			case err == nil && renewed:
				l.renewVolume(ctx, t)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// renewVolume lets a claim go that is being deleted, and makes another when it has gone.
func (l *lab) renewVolume(ctx context.Context, t *testing.T) {
	t.Helper()
	claims := l.cluster.Clientset().CoreV1().PersistentVolumeClaims(l.namespace())
	claim, err := claims.Get(ctx, "data-vault-0", metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		l.makeVolume(t)
	case err == nil && claim.DeletionTimestamp != nil:
		claim.Finalizers = nil
		// Somebody else may write it at the same time; then it is met again.
		_, _ = claims.Update(ctx, claim, metav1.UpdateOptions{})
	}
}

// unsealing is the run of the steps that give Vault its keys and open it.
func (l *lab) unsealing(t *testing.T, o Options) engine.Run {
	t.Helper()
	s, err := newSite(t.Context(), l.env, o)
	if err != nil {
		t.Fatal(err)
	}
	list := s.unsealing()
	return engine.Run{Steps: stagetest.Complete(list)}
}

// apply plans and applies, and gives what was done by step.
func apply(t *testing.T, run engine.Run) (map[engine.ID]engine.Action, error) {
	t.Helper()
	done, _, err := applied(t, run)
	return done, err
}

// applied also gives what was waited for.
func applied(t *testing.T, run engine.Run) (done map[engine.ID]engine.Action, waited []string, err error) {
	t.Helper()
	done = map[engine.ID]engine.Action{}
	var mu sync.Mutex
	run.Report = func(e engine.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == engine.Done && e.Change.Action != engine.Unchanged {
			done[e.ID] = e.Change.Action
		}
		if e.Kind == engine.Waiting {
			waited = append(waited, string(e.ID)+": "+e.Reason)
		}
	}
	plan, err := run.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = run.Apply(t.Context(), plan, engine.Options{Timeout: timeout, Consent: func(context.Context, engine.ID, engine.Change, engine.Change) error { return nil }})
	return done, waited, err
}

// making are keys that may be made.
func making(k Keys) *Keys {
	k.Make = &vault.Init{Shares: 3, Threshold: 2}
	return &k
}
