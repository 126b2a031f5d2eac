package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// PodSecurity is a level of the Pod Security Standards (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
type PodSecurity string

// The levels, from the one that allows everything.
const (
	Privileged PodSecurity = "privileged"
	Baseline   PodSecurity = "baseline"
	Restricted PodSecurity = "restricted"
)

// strictness orders the levels; a namespace without a label is as lenient as Privileged unless the API server's
// admission configuration says otherwise.
func (l PodSecurity) strictness() int {
	return slices.Index([]PodSecurity{Privileged, Baseline, Restricted}, l)
}

// The labels that the Pod Security admission reads.
const (
	enforceLabel = "pod-security.kubernetes.io/enforce"
	warnLabel    = "pod-security.kubernetes.io/warn"
)

// Namespace is a namespace with Pod Security labels. One that somebody else made is used as it is: its other pods were
// not asked, so no label is put on it or taken from it.
type Namespace struct {
	client   *Client
	name     string
	labels   map[string]string
	releases []string
	// secrets are those that keep the namespace, each with the step that takes it away.
	secrets map[string]engine.ID
	// known are names of objects in it that are not worth keeping.
	known []string
	// keeping says what else keeps it; nil for nothing.
	keeping func(context.Context) (string, error)
	// stands says that the last observation saw it, for the look at its health.
	stands atomic.Bool
	// removed is the UID of the namespace that was removed.
	removed types.UID
}

var (
	_ engine.Resource[NamespaceSeen] = (*Namespace)(nil)
	_ engine.Remover                 = (*Namespace)(nil)
	_ engine.Container               = (*Namespace)(nil)
	_ engine.Waiter                  = (*Namespace)(nil)
	_ engine.Leaver                  = (*Namespace)(nil)
)

// NamespaceOption tells what may be in a namespace that is to be removed.
type NamespaceOption func(*Namespace)

// Releases are the Helm releases of ours in the namespace, which go before it. Any other one keeps it.
func Releases(names ...string) NamespaceOption {
	return func(n *Namespace) { n.releases = append(n.releases, names...) }
}

// Holding are Secrets that are worth keeping; the namespace stays as long as one of them is there. Each has a step of its own,
// secret/NAME.
func Holding(secrets ...string) NamespaceOption {
	return func(n *Namespace) {
		for _, name := range secrets {
			HoldingOf(engine.ID("secret/"+name), name)(n)
		}
	}
}

// HoldingOf are Secrets that are worth keeping and go with another step.
func HoldingOf(step engine.ID, secrets ...string) NamespaceOption {
	return func(n *Namespace) {
		for _, name := range secrets {
			n.secrets[name] = step
		}
	}
}

// Known are objects without a mark of who made them that go with the namespace, such as what a chart's hook makes.
func Known(names ...string) NamespaceOption {
	return func(n *Namespace) { n.known = append(n.known, names...) }
}

// Keeping asks what else there is that keeps the namespace; empty for nothing.
func Keeping(what func(context.Context) (string, error)) NamespaceOption {
	return func(n *Namespace) { n.keeping = what }
}

// NewNamespace makes a namespace whose pods have to meet the level enforce and are warned about below the level warn.
func NewNamespace(c *Client, name string, enforce, warn PodSecurity, options ...NamespaceOption) *Namespace {
	n := &Namespace{client: c, name: name, secrets: map[string]engine.ID{}, labels: map[string]string{
		ManagedByLabel: FieldManager, enforceLabel: string(enforce), warnLabel: string(warn),
	}}
	for _, option := range options {
		option(n)
	}
	return n
}

// NamespaceSeen is the namespace, nil when it is not there.
type NamespaceSeen struct {
	Live *corev1.Namespace
}

// Observe reads the namespace.
func (n *Namespace) Observe(ctx context.Context) (NamespaceSeen, error) {
	live, err := n.client.Clientset.CoreV1().Namespaces().Get(ctx, n.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return NamespaceSeen{}, nil
	}
	if err != nil {
		return NamespaceSeen{}, fmt.Errorf("read namespace %s: %w", n.name, err)
	}
	n.stands.Store(live.DeletionTimestamp == nil)
	return NamespaceSeen{Live: live}, nil
}

// Plan leaves foreign namespaces alone, and says so where our pods would be refused there. One that is being deleted has
// to be gone before it can be made.
func (n *Namespace) Plan(seen NamespaceSeen) engine.Change {
	switch {
	case seen.Live == nil:
		return engine.Change{Action: engine.Create}
	case seen.Live.DeletionTimestamp != nil:
		return engine.Change{Action: engine.Pending, Why: endingText(seen.Live), Fix: endingFix(n.name)}
	case seen.Live.Labels[ManagedByLabel] != FieldManager:
		return n.adopt(seen.Live)
	}
	var fields []engine.Field
	for label, value := range n.labels {
		if seen.Live.Labels[label] != value {
			fields = append(fields, engine.Field{Path: "metadata.labels[" + label + "]", From: seen.Live.Labels[label], To: value})
		}
	}
	if len(fields) == 0 {
		return engine.Change{Action: engine.Unchanged}
	}
	slices.SortFunc(fields, func(a, b engine.Field) int { return strings.Compare(a.Path, b.Path) })
	return engine.Change{Action: engine.Configure, Fields: fields}
}

func (n *Namespace) adopt(live *corev1.Namespace) engine.Change {
	wanted, there := n.labels[enforceLabel], live.Labels[enforceLabel]
	if PodSecurity(there).strictness() <= PodSecurity(wanted).strictness() {
		return engine.Change{Action: engine.Unchanged, Why: "was there before; used as it is"}
	}
	return engine.Change{
		Action: engine.Blocked,
		Why:    fmt.Sprintf("namespace %s was not made by %s and enforces Pod Security level %q, but what goes there needs %q", n.name, FieldManager, there, wanted),
		Fix:    fmt.Sprintf("choose another namespace, or run `kubectl label namespace %s %s=%s --overwrite`", n.name, enforceLabel, wanted),
	}
}

// Apply makes the namespace, or sets the labels of one that we made.
func (n *Namespace) Apply(ctx context.Context, seen NamespaceSeen) error {
	api := n.client.Clientset.CoreV1().Namespaces()
	if seen.Live == nil {
		made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n.name, Labels: n.labels}}
		if _, err := api.Create(ctx, made, metav1.CreateOptions{FieldManager: FieldManager}); err != nil {
			return fmt.Errorf("create namespace %s: %w", n.name, err)
		}
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": n.labels}})
	if err != nil {
		return fmt.Errorf("label namespace %s: %w", n.name, err)
	}
	if _, err := api.Patch(ctx, n.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager}); err != nil {
		return fmt.Errorf("label namespace %s: %w", n.name, err)
	}
	return nil
}

// Ready waits until a namespace that is being deleted is gone. One that is there, or not there yet, needs no time.
func (n *Namespace) Ready(ctx context.Context) (engine.Health, error) {
	if n.stands.Swap(false) {
		return engine.Health{Ready: true}, nil
	}
	ending, err := n.client.endingNamespace(ctx, n.name)
	return engine.Health{Ready: err == nil && ending == "", Reason: ending}, err
}

// namespaceID is the step that makes a namespace.
func namespaceID(name string) engine.ID { return engine.ID("namespace/" + name) }

// blockedByEnd is the change for what cannot be made before something is gone. If that is the namespace, and the run
// waits for its end, it is not blocked when its turn comes.
func blockedByEnd(namespace, why, fix string) engine.Change {
	return engine.Change{Action: engine.Blocked, After: namespaceID(namespace), Why: why, Fix: fix}
}

// EndOfNamespace waits until a namespace that is being deleted is gone, and tells at each look what that waits for. It
// returns false at once for one that is not being deleted. The limit bounds the wait, not the first look; an error that
// says that it is over matches engine.ErrTimeout.
func (c *Client) EndOfNamespace(ctx context.Context, name string, limit time.Duration, tell func(reason string)) (bool, error) {
	ending, err := c.endingNamespace(ctx, name)
	if err != nil || ending == "" {
		return false, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, engine.ErrTimeout)
	defer cancel()
	for {
		tell(ending)
		select {
		case <-ctx.Done():
		case <-time.After(goneInterval):
		}
		now, err := c.endingNamespace(ctx, name)
		switch {
		case ctx.Err() != nil:
			return true, fmt.Errorf("%w: %s; %s", context.Cause(ctx), ending, endingFix(name))
		case err != nil || now == "":
			return true, err
		}
		ending = now
	}
}

// endingNamespace says that a namespace is being deleted, and what that waits for; empty when it is not, is not there,
// or may not be read.
func (c *Client) endingNamespace(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	live, err := c.Clientset.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read namespace %s: %w", name, err)
	}
	if live.DeletionTimestamp == nil {
		return "", nil
	}
	return endingText(live), nil
}

// endingText tells since when, and what the namespace controller last said about it.
func endingText(live *corev1.Namespace) string {
	said := fmt.Sprintf("namespace %s is being deleted since %s", live.Name, live.DeletionTimestamp.UTC().Format(timeFormat))
	for _, condition := range live.Status.Conditions {
		if condition.Status == corev1.ConditionTrue && condition.Message != "" {
			said += "; " + strings.TrimSpace(condition.Message)
		}
	}
	return said
}

func endingFix(namespace string) string {
	return fmt.Sprintf("wait until it is gone, or look at what holds it: `kubectl get namespace %s -o yaml`", namespace)
}
