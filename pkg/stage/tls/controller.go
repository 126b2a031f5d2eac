package tls

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// defaultCertificateFlag names the default certificate of ingress-nginx and of HAProxy's controllers, as namespace/name.
const defaultCertificateFlag = "--default-ssl-certificate"

// workload is one that may be an ingress controller.
type workload struct {
	name string // as kubectl names it: "deployment/edge"
	args []string
}

// fix says what has to be done so that the controller serves the certificate.
func (s *served) fix(ctx context.Context) (string, error) {
	if !s.env.Platform.Ingress.Existing() {
		return fmt.Sprintf("see what the controller says about the Secret in its log (`kubectl -n %s logs -l app.kubernetes.io/name=%s`), and whether ingress.values names another default certificate", s.place.namespace, s.env.IngressController()), nil
	}
	found, err := s.workloads(ctx)
	if err != nil {
		return "", err
	}
	for _, w := range found {
		if text := w.fix(s.place); text != "" {
			return text, nil
		}
	}
	return fmt.Sprintf("make secret %s the default certificate of the controller: the datalab's Ingresses name none of their own", s.place), nil
}

// workloads of the controller's namespace.
func (s *served) workloads(ctx context.Context) ([]workload, error) {
	apps := s.place.kube.Clientset.AppsV1()
	deployments, err := apps.Deployments(s.place.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("the ingress controller: %w", kube.Explain(err))
	}
	daemons, err := apps.DaemonSets(s.place.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("the ingress controller: %w", kube.Explain(err))
	}
	var found []workload
	for _, d := range deployments.Items {
		found = append(found, workload{"deployment/" + d.Name, arguments(d.Spec.Template.Spec)})
	}
	for _, d := range daemons.Items {
		found = append(found, workload{"daemonset/" + d.Name, arguments(d.Spec.Template.Spec)})
	}
	return found, nil
}

func arguments(pod corev1.PodSpec) []string {
	var all []string
	for _, c := range pod.Containers {
		all = append(append(all, c.Command...), c.Args...)
	}
	return all
}

// fix is what has to change in this workload; empty if it is no controller that we know.
func (w workload) fix(want place) string {
	switch has, flagged := w.value(defaultCertificateFlag); {
	case flagged && has == want.String():
		return fmt.Sprintf("%s has %s=%s already: see what it says about that Secret in its log (`kubectl -n %s logs %s`)", w.name, defaultCertificateFlag, has, want.namespace, w.name)
	case flagged:
		return fmt.Sprintf("%s of namespace %s has %s=%s: set it to %s, or name that Secret as ingress.namespace and tls.secretName", w.name, want.namespace, defaultCertificateFlag, has, want)
	case w.isNginx():
		return fmt.Sprintf("add the argument %s=%s to %s of namespace %s (its chart: controller.extraArgs.default-ssl-certificate)", defaultCertificateFlag, want, w.name, want.namespace)
	case w.isTraefik():
		return fmt.Sprintf("let Traefik's store name it: kubectl -n %s apply -f - <<<'{apiVersion: traefik.io/v1alpha1, kind: TLSStore, metadata: {name: default}, spec: {defaultCertificate: {secretName: %s}}}' "+
			"(Traefik takes one store of that name in the whole cluster: if there is one elsewhere, set its defaultCertificate)", want.namespace, want.name)
	}
	return ""
}

// value of a flag, written in one word or in two.
func (w workload) value(flag string) (string, bool) {
	for i, arg := range w.args {
		if value, ok := strings.CutPrefix(arg, flag+"="); ok {
			return value, true
		}
		if arg == flag && i+1 < len(w.args) {
			return w.args[i+1], true
		}
	}
	return "", false
}

func (w workload) isNginx() bool {
	for _, arg := range w.args {
		if strings.HasSuffix(arg, "/nginx-ingress-controller") {
			return true
		}
	}
	return false
}

// isTraefik goes by flags that every Traefik has; their case does not matter to it.
func (w workload) isTraefik() bool {
	for _, arg := range w.args {
		if low := strings.ToLower(arg); strings.HasPrefix(low, "--entrypoints.") || strings.HasPrefix(low, "--providers.kubernetes") {
			return true
		}
	}
	return false
}
