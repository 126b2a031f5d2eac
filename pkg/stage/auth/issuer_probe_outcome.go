package auth

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// way is how far a pod got.
type probeResult string

const (
	reached     probeResult = "reached"
	unresolved  probeResult = "unresolved"  // the cluster's DNS does not know the name
	unconnected probeResult = "unconnected" // it does, and nothing comes of it
	distrusted  probeResult = "distrusted"  // somebody answers whose certificate nobody in the cluster would take
	misnamed    probeResult = "misnamed"    // somebody answers with a certificate for others
	untold      probeResult = "untold"      // the pod did not get to try
)

// outcome is what one pod came to, in the last words of its program.
type outcome struct {
	result probeResult
	said   string
}

// judge reads an exit code of curl (curl(1), EXIT CODES, 8.10) or of the shell around it.
func judge(code int32, said string) outcome {
	o := outcome{said: strings.Join(strings.Fields(said), " ")}
	if o.said == "" {
		o.said = fmt.Sprintf("curl ended with exit code %d", code)
	}
	switch code {
	case 0:
		return outcome{result: reached}
	case 5, 6: // could not resolve proxy, host
		o.result = unresolved
	case 7, 16, 28, 35, 52, 55, 56, 92, 97: // no connection, or one that broke off: HTTP/2, time, handshake, nothing received, sending, receiving, stream, proxy
		o.result = unconnected
	case 51, 60: // the certificate; 51 before 7.62.0
		o.result = distrusted
		if strings.Contains(o.said, "subject name") || strings.Contains(o.said, "does not match") {
			o.result = misnamed
		}
	default: // among them 77, no authorities in the image, and 126 and 127 of the shell, no curl
		o.result = untold
	}
	return o
}

// ended is what a pod has come to; false while it may still come to something.
func ended(pod corev1.Pod) (outcome, bool) {
	for _, s := range pod.Status.ContainerStatuses {
		switch t, w := s.State.Terminated, s.State.Waiting; {
		case t != nil:
			return judge(t.ExitCode, t.Message), true
		case w == nil:
		case w.Reason == "ImagePullBackOff", w.Reason == "InvalidImageName", w.Reason == "ErrImageNeverPull", w.Reason == "CreateContainerConfigError":
			return outcome{result: untold, said: w.Reason + ": " + w.Message}, true
		}
	}
	switch pod.Status.Phase {
	case corev1.PodSucceeded:
		return outcome{result: reached}, true
	case corev1.PodFailed:
		return outcome{result: untold, said: strings.TrimPrefix(pod.Status.Reason+": "+pod.Status.Message, ": ")}, true
	}
	return outcome{}, false
}

// patience is how long it is worth trying. A record that was just made is seen after the time that its absence is kept for;
// the load balancer of a cloud takes minutes to let anything through; a controller takes up its certificate in seconds.
func (o outcome) patience() time.Duration {
	switch o.result {
	case unresolved:
		return 5 * time.Minute
	case unconnected:
		return 3 * time.Minute
	}
	return 0
}

// words say what is wrong.
func (o outcome) words(t trip) string {
	what := map[probeResult]string{
		unresolved:  "pods cannot look up " + t.host,
		unconnected: "pods look up " + t.host + ", but do not get through",
		distrusted:  "pods do not trust the certificate of " + t.host,
		misnamed:    "pods get a certificate of somebody else at " + t.host,
	}[o.result]
	return fmt.Sprintf("%s (%s)", what, o.said)
}

// fix says what to do about it.
func (o outcome) fix(env stage.Env, t trip) string {
	p := env.Platform
	if !p.Auth.InstallsKeycloak() {
		return map[probeResult]string{
			unresolved:  "let the cluster's DNS know the name (the forward line of CoreDNS), or correct auth.url",
			unconnected: "let pods out to it (firewall, network policies of namespace " + p.Namespace() + "); pods have no proxy",
			distrusted:  "name the PEM file of its authority by the key trust.caBundle",
			misnamed:    "correct auth.url, or the server's certificate",
		}[o.result]
	}
	return map[probeResult]string{
		unresolved: "create the DNS records that `kubectl onyxia ingress dns` prints; if they are there, look at where the cluster's DNS asks (`kubectl -n kube-system get configmap coredns -o yaml`, the line forward)",
		unconnected: fmt.Sprintf("the load balancer does not lead back in from the cluster (hairpin). One of these: switch proxy protocol off on it and on the controller; give the load balancer a host name, where the cloud has an annotation for that, so that it is gone through; "+
			"or let the cluster's DNS lead to the controller itself, by a line in CoreDNS's Corefile: rewrite name suffix .%s SERVICE.%s.svc.cluster.local answer auto", p.LabDomain(), env.IngressNamespace()),
		distrusted: "name the PEM file of its authority by the key trust.caBundle, or take a public one (tls.acme.server: letsencrypt) and run `kubectl onyxia tls issue`",
		misnamed:   "see which certificate is served by `kubectl onyxia status tls`, and whether the DNS records lead to this cluster's controller by `kubectl onyxia ingress dns`",
	}[o.result]
}
