package auth

import (
	"crypto/sha256"
	"fmt"
	"net/url"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// trip is what a pod is told to do.
type trip struct {
	url, host, image string
	// ca are private authorities, which the parts of the datalab trust besides the public ones.
	ca []byte
}

// newTrip goes to our ingress controller, before anything is behind it, or to an issuer that is there.
func newTrip(p platform.Platform, image string) trip {
	t := trip{url: "https://" + p.AuthHost() + "/", image: image, ca: p.CAPEM}
	if !p.Auth.InstallsKeycloak() {
		t.url = p.DiscoveryURL()
	}
	t.host = t.url
	if u, err := url.Parse(t.url); err == nil {
		t.host = u.Hostname()
	}
	return t
}

// digest stands for all that decides whether the way is open.
func (t trip) digest() string {
	return fmt.Sprintf("%.16x", sha256.Sum256(append([]byte(t.url+"\n"), t.ca...)))
}

const (
	jobName = "onyxia-reach"
	// jobSeconds is the most that a pod may take, its image included, and keptSeconds how long it stays when nobody is left
	// to take it away: Kubernetes then does.
	jobSeconds  = 300
	keptSeconds = 60
	// trySeconds: one pod tries again and again for so long. A controller takes up a new certificate within seconds.
	trySeconds = 20
	// nobody is a user of no rights, named by number: a kubelet cannot tell whether one that is named by name is root.
	nobody = 65534
)

// caAnnotation holds the authorities: they reach the pod as a file without an object of their own.
const (
	caAnnotation = "onyxia.sh/authorities"
	caFolder     = "/authorities"
	caFile       = "ca.pem"
)

// mostCA is as much as fits into annotations (256 KiB in all, apimachinery's ValidateAnnotations).
const mostCA = 250 << 10

// script asks until somebody answers, and ends with curl's last exit code and words. The image's own authorities come first.
const script = `end=$(($(date +%s) + TRY_SECONDS))
ask() { curl --silent --show-error --output /dev/null --connect-timeout 5 --max-time 10 "$@" "$URL" 2>&1; }
while :; do
  said=$(ask); code=$?
  if [ "$code" = 60 ] || [ "$code" = 77 ]; then
    if [ -s "$AUTHORITIES" ]; then said=$(ask --cacert "$AUTHORITIES"); code=$?; fi
  fi
  if [ "$code" = 0 ]; then exit 0; fi
  if [ "$(date +%s)" -ge "$end" ]; then echo "$said" >&2; exit "$code"; fi
  sleep 1
done`

// job runs one pod. It meets Pod Security's level "restricted", and asks for limits because a namespace may demand them.
func (t trip) job(namespace, name string) *batchv1.Job {
	no, yes, retries, most, kept, user := false, true, int32(0), int64(jobSeconds), int32(keptSeconds), int64(nobody)
	labels := map[string]string{kube.ManagedByLabel: kube.FieldManager, "app.kubernetes.io/name": jobName, "app.kubernetes.io/instance": name}
	amounts := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
	}
	container := corev1.Container{
		Name: "reach", Image: t.image, Command: []string{"sh", "-c", script},
		Env:                      []corev1.EnvVar{{Name: "URL", Value: t.url}, {Name: "AUTHORITIES", Value: caFolder + "/" + caFile}, {Name: "TRY_SECONDS", Value: fmt.Sprint(trySeconds)}},
		Resources:                corev1.ResourceRequirements{Requests: amounts("10m", "16Mi"), Limits: amounts("200m", "64Mi")},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	pod := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
	}}
	if len(t.ca) > 0 {
		pod.Annotations = map[string]string{caAnnotation: string(t.ca)}
		field := &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['" + caAnnotation + "']"}
		pod.Spec.Volumes = []corev1.Volume{{Name: "authorities", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{{Path: caFile, FieldRef: field}}}}}}
		container.VolumeMounts = []corev1.VolumeMount{{Name: "authorities", MountPath: caFolder, ReadOnly: true}}
	}
	pod.Spec.Containers = []corev1.Container{container}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels},
		Spec:       batchv1.JobSpec{BackoffLimit: &retries, ActiveDeadlineSeconds: &most, TTLSecondsAfterFinished: &kept, Template: pod},
	}
}
