package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// What is noted on the volume, because PostgreSQL opens only data of its own major version and nobody can look into a volume
// whose server does not run.
const (
	// imageNote is the image that made the data.
	imageNote = "kubectl-onyxia/postgres-image"
	// versionNote is the major version of data that was there before imageNote was. An admin may set it too.
	versionNote = "kubectl-onyxia/postgres-version"
)

// serverMajor is what an image's tag says of PostgreSQL's major version ("17.6", "17-bookworm", "pg16"); 0 if it says nothing.
// From 10 on the first number alone is the major version, and what is older is no server of ours.
func serverMajor(image string) int {
	parsed, err := profile.ParseImage(image)
	if err != nil {
		return 0
	}
	found := regexp.MustCompile(`^(?:v|pg)?(\d{2})(?:$|[.-])`).FindStringSubmatch(parsed.Tag)
	if found == nil {
		return 0
	}
	major, _ := strconv.Atoi(found[1])
	return major
}

// notedVolume is the volume with its notes: those that it has, or else what is known of its data now.
func notedVolume(env stage.Env, image string) func(context.Context) (*unstructured.Unstructured, error) {
	return func(ctx context.Context) (*unstructured.Unstructured, error) {
		want := databaseVolume(env)
		live, err := env.Kube.Get(ctx, want)
		if err != nil {
			return nil, err
		}
		notes := map[string]string{}
		if live == nil {
			notes[imageNote] = image
		} else {
			for _, key := range []string{imageNote, versionNote} {
				if value, ok := live.GetAnnotations()[key]; ok {
					notes[key] = value
				}
			}
		}
		if len(notes) == 0 {
			// What cannot be seen now is noted by a later run.
			if seen, err := seeData(ctx, env); err == nil && seen.major > 0 {
				notes[versionNote] = strconv.Itoa(seen.major)
			}
		}
		if len(notes) > 0 {
			want.SetAnnotations(notes)
		}
		return want, nil
	}
}

// seenData is what the pod that has the volume tells of its data.
type seenData struct {
	// major is 0 when there is no such pod, when it tells nothing, or when this user may not ask it.
	major int
	// refused says that the server in it does not open the data.
	refused bool
}

func seeData(ctx context.Context, env stage.Env) (seenData, error) {
	namespace, name := env.Platform.Auth.Namespace, databaseName+"-0"
	pod, err := env.Kube.Clientset.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return seenData{}, nil
	}
	if err != nil {
		return seenData{}, fmt.Errorf("the pod of the database: %w", kube.Explain(err))
	}
	at := slices.IndexFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == containerName })
	if at < 0 {
		return seenData{}, nil
	}
	status := pod.Status.ContainerStatuses[at]
	// What PostgreSQL says of data that it does not open (src/backend/utils/init/miscinit.c, ValidatePgVersion).
	refusal := regexp.MustCompile(`initialized by PostgreSQL version (\d+)`)
	for _, ended := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
		if ended == nil || status.Ready {
			continue
		}
		if found := refusal.FindStringSubmatch(ended.Message); found != nil {
			major, _ := strconv.Atoi(found[1])
			return seenData{major: major, refused: true}, nil
		}
	}
	if status.State.Running == nil {
		return seenData{}, nil
	}
	out, err := env.Kube.Exec(ctx, namespace, name, containerName, []string{"cat", dataFolder + "/PG_VERSION"}, nil)
	var failed *kube.ExecError
	if errors.As(err, &failed) || apierrors.IsForbidden(err) {
		return seenData{}, nil
	}
	if err != nil {
		return seenData{}, fmt.Errorf("the version of the database: %w", err)
	}
	major, _ := strconv.Atoi(strings.TrimSpace(string(out)))
	return seenData{major: major}, nil
}

// checkVersion compares the version of the data with that of the wanted image, when the server has another image or does not
// run. What is seen counts more than what was noted, and that more than a tag.
func (o *ownDatabase) checkVersion(ctx context.Context, live *unstructured.Unstructured) (engine.Change, error) {
	has := imageOf(live)
	if has == o.image && readyReplicas(live) > 0 {
		return engine.Change{}, nil
	}
	namespace := o.env.Platform.Auth.Namespace
	claim, err := o.env.Kube.Clientset.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, databaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && claim.Status.Phase == corev1.ClaimPending {
		return engine.Change{}, nil
	}
	if err != nil {
		return engine.Change{}, fmt.Errorf("the volume of the database: %w", kube.Explain(err))
	}
	seen, err := seeData(ctx, o.env)
	if err != nil {
		return engine.Change{}, err
	}
	made := claim.Annotations[imageNote]
	if has == o.image && !seen.refused || seen.major == 0 && live == nil && made == o.image {
		return engine.Change{}, nil
	}
	noted, _ := strconv.Atoi(claim.Annotations[versionNote])
	v := versions{data: cmp.Or(seen.major, noted, serverMajor(made), serverMajor(has)), image: cmp.Or(has, made), wanted: o.image}
	v.refused = seen.refused && has == o.image
	return compareVersions(o.env, v), nil
}

func readyReplicas(set *unstructured.Unstructured) int64 {
	ready, _, _ := unstructured.NestedInt64(set.Object, "status", "readyReplicas")
	return ready
}

func imageOf(set *unstructured.Unstructured) string {
	if set == nil {
		return ""
	}
	containers, _, _ := unstructured.NestedSlice(set.Object, "spec", "template", "spec", "containers")
	for _, one := range containers {
		if c, ok := one.(map[string]any); ok && c["name"] == containerName {
			image, _ := c["image"].(string)
			return image
		}
	}
	return ""
}

// versions are what the volume holds and what is to open it.
type versions struct {
	// data is the major version of the data; 0 if unknown.
	data int
	// image is the one that opens it until now; may be empty.
	image  string
	wanted string
	// refused says that the wanted one was seen to refuse the data.
	refused bool
}

// compareVersions gives Blocked, or a risk where a version is not known; nothing when they go together.
func compareVersions(env stage.Env, v versions) engine.Change {
	namespace, wanted := env.Platform.Auth.Namespace, serverMajor(v.wanted)
	volume := namespace + "/" + databaseName
	switch {
	case v.refused:
	case wanted == 0 && v.data == 0:
		return engine.Change{Risk: fmt.Sprintf("nobody can tell whether image %s opens the data in volume %s: PostgreSQL refuses, without touching it, the data of another major version, and until the right image is named (images.postgres) nobody can log in", v.wanted, volume)}
	case wanted == 0:
		return engine.Change{Risk: fmt.Sprintf("the tag of image %s does not say whether it is PostgreSQL %d, of which the data in volume %s is: another major version refuses that, without touching it, and until the right image is named (images.postgres) nobody can log in", v.wanted, v.data, volume)}
	case v.data == 0:
		return engine.Change{Risk: fmt.Sprintf("of which version the data in volume %s is was never noted: if it is not PostgreSQL %d, %s refuses it, without touching it, and until the right image is named (images.postgres) nobody can log in", volume, wanted, v.wanted)}
	case wanted == v.data:
		return engine.Change{}
	}
	keep := v.image
	if v.refused || keep == "" || serverMajor(keep) != 0 && serverMajor(keep) != v.data {
		keep = fmt.Sprintf("docker.io/library/postgres:%d.MINOR", v.data)
	}
	return engine.Change{Action: engine.Blocked,
		Why: fmt.Sprintf("Keycloak's users in volume %s are data of PostgreSQL %d, which %s does not open: it is of another major version", volume, v.data, v.wanted),
		Fix: fmt.Sprintf(`keep PostgreSQL %[1]d by this line in onyxia.yaml:
    images: {postgres: %[2]q}
To move the users, for which PostgreSQL %[1]d has to run, and for some minutes nobody can log in
(docs/operations.md, "Another major version of PostgreSQL"):
    umask 077
    kubectl -n %[3]s scale statefulset/%[4]s --replicas=0
    kubectl -n %[3]s wait pod -l app.kubernetes.io/instance=%[4]s --for=delete --timeout=10m
    kubectl -n %[3]s exec %[5]s-0 -- pg_dump -h 127.0.0.1 -U %[6]s -Fc %[7]s > keycloak.dump
    kubectl -n %[3]s exec -i %[5]s-0 -- pg_restore -f /dev/null < keycloak.dump && echo it is whole    # go on only if it says so
    kubectl -n %[3]s delete statefulset/%[5]s persistentvolumeclaim/%[5]s
    kubectl onyxia auth install
    kubectl -n %[3]s scale statefulset/%[4]s --replicas=0
    kubectl -n %[3]s wait pod -l app.kubernetes.io/instance=%[4]s --for=delete --timeout=10m
    kubectl -n %[3]s exec %[5]s-0 -- psql -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -U %[6]s -d %[7]s -c 'DROP SCHEMA public CASCADE; CREATE SCHEMA public'
    kubectl -n %[3]s exec -i %[5]s-0 -- pg_restore -h 127.0.0.1 -U %[6]s -d %[7]s --clean --if-exists --single-transaction < keycloak.dump
    kubectl -n %[3]s scale statefulset/%[4]s --replicas=1
    kubectl onyxia auth install`, v.data, keep, namespace, releaseName, databaseName, databaseOwner, env.Platform.Auth.Database.Name)}
}
