package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// reachID is the way from pods to the issuer's address. It is no server, so `auth configure` has it too.
const reachID engine.ID = "issuer.reach/pods"

// reach is the way that Onyxia's API, MinIO and Vault will take to the login: from a pod, by the public name, back in through
// the load balancer. A cluster may have no way there while every browser has one, and then each of them fails in words of its
// own. So a pod is sent along first. Nothing has to answer but the ingress controller, whatever it says.
//
// It writes, so it is done once for each address and authority; a ConfigMap remembers for which. A datalab whose login stands
// from before there was such a step is left in peace.
type reach struct {
	env   stage.Env
	trip  trip
	stamp stamp
	// doubted says that this run has told its doubt about the certificate.
	doubted bool
	// pause between two looks at the pod.
	pause time.Duration
}

// reachSeen is what is known of the way.
type reachSeen struct {
	noted note
	// Stands says that the login was installed before anybody asked.
	Stands bool
}

// reachStep comes before whatever the stage writes.
func reachStep(env stage.Env, image string, needs ...engine.ID) engine.Step {
	needs = append(needs, stage.NamespaceID(env.Platform.Namespace()))
	if env.Platform.Auth.InstallsKeycloak() {
		needs = append(needs, stage.AddressID, stage.CertificateID)
	}
	return engine.New(reachID, newReach(env, image), needs...)
}

func newReach(env stage.Env, image string) *reach {
	return &reach{
		env: env, trip: newTrip(env.Platform, image), pause: time.Second / 2,
		stamp: newStamp(env),
	}
}

// Observe reads what was noted, and looks for a login from before.
func (r *reach) Observe(ctx context.Context) (reachSeen, error) {
	noted, err := r.stamp.read(ctx)
	if err != nil || noted.Digest == r.trip.digest() {
		return reachSeen{noted: noted}, err
	}
	if !r.env.Platform.Auth.InstallsKeycloak() {
		return reachSeen{noted: noted}, nil
	}
	if noted.Digest == "" {
		_, err := r.env.Kube.Clientset.CoreV1().Services(r.env.Platform.Auth.Namespace).Get(ctx, releaseName+"-http", metav1.GetOptions{})
		if err == nil {
			return reachSeen{Stands: true}, nil
		}
		if !apierrors.IsNotFound(err) {
			return reachSeen{}, fmt.Errorf("whether Keycloak is there: %w", kube.Explain(err))
		}
	}
	r.doubt(ctx)
	return reachSeen{noted: noted}, nil
}

// doubt tells at once what a pod would tell later: this machine knows the public authorities as well.
func (r *reach) doubt(ctx context.Context) {
	if r.doubted {
		return
	}
	p := r.env.Platform
	secret, err := r.env.Kube.Clientset.CoreV1().Secrets(r.env.IngressNamespace()).Get(ctx, p.TLS.SecretName, metav1.GetOptions{})
	if err != nil {
		// A certificate that is not there yet, or that this user may not read, is for the pod to meet.
		return
	}
	if why := untrusted(secret.Data["tls.crt"], p.CAPEM, p.AuthHost(), time.Now()); why != "" {
		r.doubted = true
		r.env.Warn(why)
	}
}

// Plan compares.
func (r *reach) Plan(seen reachSeen) engine.Change {
	switch {
	case seen.noted.Digest == r.trip.digest():
		return engine.Change{Action: engine.Unchanged, Why: seen.noted.words()}
	case seen.Stands:
		return engine.Change{Action: engine.Unchanged, Why: "the login stands"}
	case seen.noted.Digest != "":
		return engine.Change{Action: engine.Configure, Why: "the address or the authorities have changed: a pod asks " + r.trip.url + " again, and goes"}
	}
	return engine.Change{Action: engine.Create, Why: "a pod asks " + r.trip.url + ", and goes"}
}

// Apply sends the pod, again as long as waiting may help.
func (r *reach) Apply(ctx context.Context, _ reachSeen) error {
	if err := r.sweep(ctx); err != nil {
		return err
	}
	var last probeResult
	var since time.Time
	for {
		got, err := r.send(ctx)
		if err != nil {
			return err
		}
		news := got.result != last
		if news {
			last, since = got.result, time.Now()
		}
		switch left := got.patience() - time.Since(since); {
		case got.result == reached:
			return r.stamp.write(ctx, note{Digest: r.trip.digest(), At: time.Now().UTC().Format(time.RFC3339)})
		case got.result == untold:
			r.env.Warn(fmt.Sprintf("it could not be tried whether pods reach %s (%s): Onyxia's API does not start if they don't; images.curl names the image that tries", r.trip.url, got.said))
			return r.stamp.write(ctx, note{Digest: r.trip.digest(), At: time.Now().UTC().Format(time.RFC3339), Untold: got.said})
		case left <= 0:
			return errors.New(got.words(r.trip) + "; " + got.fix(r.env, r.trip))
		case news:
			r.env.Warn(fmt.Sprintf("%s; trying for %s more: %s", got.words(r.trip), left.Round(time.Second), got.fix(r.env, r.trip)))
		}
	}
}

// Present tells whether there is a note to take away.
func (r *reach) Present(ctx context.Context) (bool, error) {
	noted, err := r.stamp.read(ctx)
	return noted.Digest != "", err
}

// Remove forgets it.
func (r *reach) Remove(ctx context.Context) error { return r.stamp.Remove(ctx) }
