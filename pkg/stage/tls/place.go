package tls

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// What we note about a certificate on its Secret.
const (
	directoryAnnotation = "onyxia.sh/acme-directory"
	orderedAnnotation   = "onyxia.sh/ordered-at"
	importedAnnotation  = "onyxia.sh/imported-at"
	// certManagerAnnotation stands on Secrets that cert-manager writes (v1).
	certManagerAnnotation = "cert-manager.io/certificate-name"
)

// writeTime bounds the one write that must not be lost to Ctrl-C: a certificate that was just issued.
const writeTime = 30 * time.Second

// place is the Secret that the ingress controller serves its certificate from.
type place struct {
	kube            *kube.Client
	namespace, name string
	// awaited says that a step of ours makes the namespace.
	awaited bool
}

// Held is what the Secret holds.
type Held struct {
	Exists bool
	Info   acme.Info
	// Broken is why what is there is no certificate; empty if it is one.
	Broken string
	// Ours says that we wrote it, CertManager that cert-manager did.
	Ours, CertManager bool
	// Directory is where it was ordered; empty if it was brought along.
	Directory string
	// Ordered and Imported are when we wrote it.
	Ordered, Imported time.Time

	secret *corev1.Secret
}

// chain is the certificate in PEM.
func (h Held) chain() []byte { return h.secret.Data[corev1.TLSCertKey] }

// good tells whether the certificate serves these names now.
func (h Held) good(names []string, now time.Time) bool {
	return h.Exists && h.Broken == "" && h.Info.KeyMatches && len(h.Info.Missing(names)) == 0 &&
		now.Before(h.Info.NotAfter) && !now.Before(h.Info.NotBefore)
}

// usable tells whether clients get anything from it that a worse certificate would take away.
func (h Held) usable(now time.Time) bool {
	return h.Exists && h.Broken == "" && h.Info.KeyMatches && now.Before(h.Info.NotAfter)
}

// read gets the Secret. One that isn't there in a namespace that isn't there either has to wait for that.
func (p place) read(ctx context.Context) (Held, error) {
	secret, err := p.kube.Clientset.CoreV1().Secrets(p.namespace).Get(ctx, p.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Held{}, p.checkNamespace(ctx)
	}
	if err != nil {
		return Held{}, fmt.Errorf("read secret %s/%s: %w", p.namespace, p.name, kube.Explain(err))
	}
	held := Held{
		Exists:      true,
		Ours:        secret.Labels[kube.ManagedByLabel] == kube.FieldManager,
		CertManager: secret.Annotations[certManagerAnnotation] != "",
		Directory:   secret.Annotations[directoryAnnotation],
		Ordered:     moment(secret.Annotations[orderedAnnotation]),
		Imported:    moment(secret.Annotations[importedAnnotation]),
		secret:      secret,
	}
	held.Info, err = acme.Inspect(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		held.Broken = err.Error()
	}
	return held, nil
}

func (p place) checkNamespace(ctx context.Context) error {
	live, err := p.kube.Clientset.CoreV1().Namespaces().Get(ctx, p.namespace, metav1.GetOptions{})
	switch {
	case err == nil && live.DeletionTimestamp != nil && p.awaited:
		// Nothing can be written there, so nothing must be ordered for it.
		return &engine.NotYetError{After: stage.NamespaceID(p.namespace), Why: "the namespace is being deleted"}
	case err == nil && live.DeletionTimestamp != nil:
		return fmt.Errorf("namespace %s, where the ingress controller's certificate goes, is being deleted; wait until it is there again", p.namespace)
	case !apierrors.IsNotFound(err):
		// Whoever may not read namespaces learns of a missing one from the write.
		return nil
	case p.awaited:
		return &engine.NotYetError{After: stage.NamespaceID(p.namespace)}
	default:
		return fmt.Errorf("namespace %s, where the ingress controller's certificate goes, is not there; name the controller's namespace as ingress.namespace", p.namespace)
	}
}

// moment reads a time that we wrote; what somebody made unreadable is no time.
func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// write puts certificate, chain and key in place in one request, so that no server ever reads a certificate with
// another's key. It fails if the Secret was written since it was read.
func (p place) write(ctx context.Context, held Held, c *acme.Certificate, notes map[string]string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	return p.send(ctx, held, c, notes)
}

// try asks the API server whether it would take a certificate there: for one that cannot be written none is ordered, since
// authorities limit how many one may have.
func (p place) try(ctx context.Context, held Held) error {
	err := p.send(ctx, held, nil, nil, metav1.DryRunAll)
	if apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "dry run") {
		// A webhook there knows no dry runs, so nobody can tell.
		return nil
	}
	if err != nil {
		return fmt.Errorf("no certificate was ordered, because it could not be written: %w", err)
	}
	return nil
}

// send writes the Secret; without a certificate it leaves what it holds.
func (p place) send(ctx context.Context, held Held, c *acme.Certificate, notes map[string]string, dryRun ...string) error {
	secrets := p.kube.Clientset.CoreV1().Secrets(p.namespace)
	var err error
	if held.Exists {
		_, err = secrets.Update(ctx, p.filled(held.secret.DeepCopy(), c, notes), metav1.UpdateOptions{FieldManager: kube.FieldManager, DryRun: dryRun})
	} else {
		fresh := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: p.name}}
		if c != nil {
			fresh.Type = corev1.SecretTypeTLS
		}
		_, err = secrets.Create(ctx, p.filled(fresh, c, notes), metav1.CreateOptions{FieldManager: kube.FieldManager, DryRun: dryRun})
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("secret %s/%s was written by somebody else in the meantime; look at it, then run the same command again: %w", p.namespace, p.name, err)
	}
	if err != nil {
		return fmt.Errorf("write secret %s/%s: %w", p.namespace, p.name, kube.Explain(err))
	}
	return nil
}

// filled sets what is ours on a Secret and leaves the rest.
func (p place) filled(secret *corev1.Secret, c *acme.Certificate, notes map[string]string) *corev1.Secret {
	if secret.Labels == nil {
		secret.Labels = map[string]string{}
	}
	secret.Labels[kube.ManagedByLabel] = kube.FieldManager
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	for _, name := range []string{directoryAnnotation, orderedAnnotation, importedAnnotation} {
		delete(secret.Annotations, name)
		if value := notes[name]; value != "" {
			secret.Annotations[name] = value
		}
	}
	if c == nil {
		return secret
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey] = c.Chain, c.Key
	return secret
}

func (p place) remove(ctx context.Context) error {
	held, err := p.read(ctx)
	if err != nil || !held.Exists || !held.Ours {
		return ignoreNotYet(err)
	}
	uid := held.secret.UID
	err = p.kube.Clientset.CoreV1().Secrets(p.namespace).Delete(ctx, p.name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete secret %s/%s: %w", p.namespace, p.name, kube.Explain(err))
	}
	return nil
}

// String is namespace/name.
func (p place) String() string { return strings.Join([]string{p.namespace, p.name}, "/") }
