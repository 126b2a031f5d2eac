package auth

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

func TestC4MajorVersionOfATag(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	for image, want := range map[string]int{
		"postgres:17": 17, "docker.io/library/postgres:17.12" + digest: 17, "postgres:15-bookworm": 15, "ours/postgres:16.3-r2": 16,
		"pgvector/pgvector:pg17": 17, "ours/postgres:v18.1": 18, "bitnami/postgresql:17.6.0-debian-12-r4": 17,
		"ours/postgres" + digest: 0, "ours/postgres:stable": 0, "ours/postgres:2026.01": 0, "ours/postgres:9.6": 0, "ours/postgres:17a": 0, "": 0,
	} {
		if got := serverMajor(image); got != want {
			t.Errorf("%s: %d, want %d", image, got, want)
		}
	}
}

// databaseLab is a database in a cluster without a node: its pod, and what is in its volume, are the test's.
type databaseLab struct {
	cluster *kubetest.Cluster
	client  *kube.Client
	ns      string
	version string
}

const postgres17 = "docker.io/library/postgres:17.12"

func newDatabaseLab(t *testing.T) *databaseLab {
	t.Helper()
	cluster := kubetest.Start(t)
	client, err := kube.Connect(cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	return &databaseLab{cluster: cluster, client: client, ns: cluster.Namespace(t)}
}

func (l *databaseLab) run(t *testing.T, image string) engine.Run {
	t.Helper()
	env, _ := datalab(t, platform.Auth{Namespace: l.ns, Database: platform.Database{Size: "3Gi"}})
	env.Kube = l.client
	return engine.Run{Steps: append(database(env, image), engine.New(stage.NamespaceID(l.ns), kube.NewNamespace(l.client, l.ns, kube.Baseline, kube.Baseline)))}
}

func (l *databaseLab) apply(t *testing.T, image string) {
	t.Helper()
	run := l.run(t, image)
	if err := run.Apply(t.Context(), planned(t, run), engine.Options{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
}

func (l *databaseLab) change(t *testing.T, image string) engine.Change {
	t.Helper()
	return line(t, planned(t, l.run(t, image)), databaseID).Change
}

// startPod makes the pod that the StatefulSet's controller would make, with data of a version in its volume.
func (l *databaseLab) startPod(t *testing.T, version string) {
	t.Helper()
	l.version = version
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: databaseName + "-0", Namespace: l.ns}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: containerName, Image: "none"}}}}
	l.cluster.BackPod(t, pod, postgresPort, "127.0.0.1:1")
	l.cluster.Execute(t, l.ns, pod.Name, func(command []string, _ io.Reader, stdout, stderr io.Writer) int {
		if strings.Join(command, " ") != "cat /var/lib/postgresql/data/pgdata/PG_VERSION" {
			fmt.Fprintf(stderr, "no such command: %q", command)
			return 127
		}
		fmt.Fprintln(stdout, l.version)
		return 0
	})
}

func (l *databaseLab) stopPod(t *testing.T) {
	t.Helper()
	l.cluster.EndPod(t, l.ns, databaseName+"-0")
}

// crash makes the pod's status that of a PostgreSQL that does not open its data.
func (l *databaseLab) crash(t *testing.T, data string) {
	t.Helper()
	pods := l.cluster.Clientset().CoreV1().Pods(l.ns)
	pod, err := pods.Get(t.Context(), databaseName+"-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod.Status.ContainerStatuses[0] = corev1.ContainerStatus{Name: containerName, Image: "none", RestartCount: 3,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1,
			Message: "FATAL:  database files are incompatible with server\nDETAIL:  The data directory was initialized by PostgreSQL version " + data + ", which is not compatible with this version 17.12.\n"}}}
	if _, err := pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (l *databaseLab) removeSet(t *testing.T) {
	t.Helper()
	if err := l.cluster.Clientset().AppsV1().StatefulSets(l.ns).Delete(t.Context(), databaseName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// annotate patches the volume's annotations; a nil value takes one away.
func (l *databaseLab) annotate(t *testing.T, patch string) {
	t.Helper()
	_, err := l.cluster.Clientset().CoreV1().PersistentVolumeClaims(l.ns).Patch(t.Context(), databaseName, types.MergePatchType, []byte(`{"metadata": {"annotations": `+patch+`}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func blocked(t *testing.T, c engine.Change, want ...string) {
	t.Helper()
	if c.Action != engine.Blocked {
		t.Fatalf("not blocked: %+v", c)
	}
	for _, w := range want {
		if !strings.Contains(c.Why+"\n"+c.Fix, w) {
			t.Errorf("%q is not said:\n%s\n%s", w, c.Why, c.Fix)
		}
	}
}

func free(t *testing.T, c engine.Change, action engine.Action) {
	t.Helper()
	if c.Action != action || c.Risk != "" {
		t.Errorf("%s expected without a risk: %+v", action, c)
	}
}

func risky(t *testing.T, c engine.Change, action engine.Action, want string) {
	t.Helper()
	if c.Action != action || !strings.Contains(c.Risk, want) {
		t.Errorf("%s with a risk that says %q expected: %+v", action, want, c)
	}
}

// C4: no plan puts a PostgreSQL on data of another major version, by a later release, another profile or another image; what
// is in the volume decides, and not what the image is called.
func TestC4MajorVersion(t *testing.T) {
	l := newDatabaseLab(t)
	l.cluster.KeepReady(t)
	ours := "ours/postgres@sha256:" + strings.Repeat("a", 64)
	l.apply(t, postgres17)
	l.startPod(t, "17")
	t.Run("minor version", func(t *testing.T) { free(t, l.change(t, "docker.io/library/postgres:17.13"), engine.Configure) })
	t.Run("upgrade", func(t *testing.T) {
		c := l.change(t, "docker.io/library/postgres:18.1")
		blocked(t, c, "data of PostgreSQL 17", "postgres:18.1 does not open", `images: {postgres: "`+postgres17+`"}`,
			"\n    kubectl -n "+l.ns+" exec keycloak-db-0 -- pg_dump ", "> keycloak.dump\n", "\n    kubectl onyxia auth install\n", "pg_restore -h 127.0.0.1 -U keycloak -d keycloak --clean --if-exists")
	})
	t.Run("downgrade", func(t *testing.T) {
		blocked(t, l.change(t, "docker.io/library/postgres:15.20"), "data of PostgreSQL 17", "postgres:15.20")
	})
	t.Run("an image that names no version", func(t *testing.T) {
		risky(t, l.change(t, ours), engine.Configure, "does not say whether it is PostgreSQL 17")
	})
	t.Run("another name than the server's version", func(t *testing.T) {
		l.version = "15"
		blocked(t, l.change(t, "docker.io/library/postgres:17.13"), "data of PostgreSQL 15", "postgres:15.MINOR")
		free(t, l.change(t, "docker.io/library/postgres:15.20"), engine.Configure)
		l.version = "17"
	})
	t.Run("not running", func(t *testing.T) {
		l.stopPod(t)
		blocked(t, l.change(t, "docker.io/library/postgres:18.1"), "data of PostgreSQL 17")
		free(t, l.change(t, "docker.io/library/postgres:17.13"), engine.Configure)
	})
	t.Run("uninstalled, with its volume kept", func(t *testing.T) {
		l.removeSet(t)
		free(t, l.change(t, postgres17), engine.Create)
		free(t, l.change(t, "docker.io/library/postgres:17.13"), engine.Create)
		blocked(t, l.change(t, "docker.io/library/postgres:18.1"), "data of PostgreSQL 17", postgres17)
		risky(t, l.change(t, ours), engine.Create, "does not say whether")
	})
	t.Run("a volume of which nothing was noted", func(t *testing.T) {
		l.annotate(t, `{"kubectl-onyxia/postgres-image": null}`)
		risky(t, l.change(t, postgres17), engine.Create, "was never noted")
		risky(t, l.change(t, ours), engine.Create, "nobody can tell")
		l.annotate(t, `{"kubectl-onyxia/postgres-version": "16"}`)
		blocked(t, l.change(t, postgres17), "data of PostgreSQL 16")
		free(t, l.change(t, "docker.io/library/postgres:16.14"), engine.Create)
	})
}

// C4: what earlier versions of the plugin made has no note. The first run that sees the server makes one, whatever the server's image is
// called, and writes nothing else; a server that was put on data that it refuses is told of.
func TestC4DataOfEarlierVersions(t *testing.T) {
	l := newDatabaseLab(t)
	l.cluster.KeepReady(t)
	l.apply(t, "docker.io/library/postgres:17")
	l.annotate(t, `{"kubectl-onyxia/postgres-image": null}`)
	t.Run("its server cannot be seen", func(t *testing.T) {
		blocked(t, l.change(t, "docker.io/library/postgres:18.1"), "data of PostgreSQL 17")
	})
	l.startPod(t, "15")
	l.apply(t, "docker.io/library/postgres:17")
	mark := l.cluster.Mark(t)
	l.apply(t, "docker.io/library/postgres:17")
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("the second run wrote %q", writes)
	}
	t.Run("noted", func(t *testing.T) {
		l.stopPod(t)
		blocked(t, l.change(t, postgres17), "data of PostgreSQL 15")
		l.removeSet(t)
		blocked(t, l.change(t, postgres17), "data of PostgreSQL 15")
		free(t, l.change(t, "docker.io/library/postgres:15.20"), engine.Create)
	})
}

// C4: where it happened before this version, the run says what it is, and the way back is open.
func TestC4ServerOnDataThatItRefuses(t *testing.T) {
	l := newDatabaseLab(t)
	t.Run("before", func(t *testing.T) {
		l.cluster.KeepReady(t)
		l.apply(t, postgres17)
	})
	l.annotate(t, `{"kubectl-onyxia/postgres-image": null}`)
	l.startPod(t, "")
	l.crash(t, "15")
	sets := l.cluster.Clientset().AppsV1().StatefulSets(l.ns)
	set, err := sets.Get(t.Context(), databaseName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set.Status.ReadyReplicas, set.Status.AvailableReplicas = 0, 0
	if _, err := sets.UpdateStatus(t.Context(), set, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	blocked(t, l.change(t, postgres17), "data of PostgreSQL 15", postgres17+" does not open", "postgres:15.MINOR")
	blocked(t, l.change(t, "docker.io/library/postgres:18.1"), "data of PostgreSQL 15")
	free(t, l.change(t, "docker.io/library/postgres:15.20"), engine.Configure)
}
