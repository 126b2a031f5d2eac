package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// timeFormat is how times stand in messages.
const timeFormat = time.RFC3339

// Generated is a Secret of ours whose values are made once. What is there is kept, whoever wrote it; only missing keys
// are added. Reinstalling on an old volume so still knows the old password.
type Generated struct {
	client    *Client
	namespace string
	name      string
	keys      map[string]Generate

	mu     sync.Mutex
	values map[string][]byte
}

var (
	_ engine.Resource[GeneratedSeen] = (*Generated)(nil)
	_ engine.Remover                 = (*Generated)(nil)
	_ engine.Refuser                 = (*Generated)(nil)
)

// NewGenerated makes a Secret with these keys.
func NewGenerated(c *Client, namespace, name string, keys map[string]Generate) *Generated {
	return &Generated{client: c, namespace: namespace, name: name, keys: keys}
}

// ID is "secret/NAME", which Value names when the Secret is not there yet.
func (g *Generated) ID() engine.ID { return engine.ID("secret/" + g.name) }

// GeneratedSeen tells which keys there are, never their values.
type GeneratedSeen struct {
	Exists  bool
	Missing []string
	// Ending says that the Secret or its namespace is being deleted; empty when neither is.
	Ending string
	// Foreign says that another party made the Secret.
	Foreign bool
	version string
}

// Observe reads the Secret and keeps its values for Value.
func (g *Generated) Observe(ctx context.Context) (GeneratedSeen, error) {
	live, err := g.read(ctx)
	if err != nil {
		return GeneratedSeen{}, err
	}
	if live == nil {
		ending, err := g.client.endingNamespace(ctx, g.namespace)
		return GeneratedSeen{Missing: g.missing(nil), Ending: ending}, err
	}
	seen := GeneratedSeen{Exists: true, Missing: g.missing(live.Data), version: live.ResourceVersion, Foreign: live.Labels[ManagedByLabel] != FieldManager}
	if live.DeletionTimestamp != nil {
		seen.Ending = fmt.Sprintf("secret %s/%s is being deleted since %s", g.namespace, g.name, live.DeletionTimestamp.UTC().Format(timeFormat))
	}
	return seen, nil
}

// read gets the Secret, nil when it is not there, and remembers what it holds.
func (g *Generated) read(ctx context.Context) (*corev1.Secret, error) {
	live, err := g.client.Clientset.CoreV1().Secrets(g.namespace).Get(ctx, g.name, metav1.GetOptions{})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.values = nil
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read secret %s/%s: %w", g.namespace, g.name, err)
	}
	g.values = live.Data
	return live, nil
}

// missing are the wanted keys without a value. An empty password is none.
func (g *Generated) missing(data map[string][]byte) (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(g.keys)) {
		if len(data[key]) == 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// Plan names the keys that would be made.
func (g *Generated) Plan(seen GeneratedSeen) engine.Change {
	if seen.Ending != "" {
		return blockedByEnd(g.namespace, seen.Ending, endingFix(g.namespace))
	}
	if seen.Exists && len(seen.Missing) == 0 {
		return engine.Change{Action: engine.Unchanged}
	}
	change := engine.Change{Action: engine.Create, Why: "generated once, then kept"}
	if seen.Exists {
		change.Action = engine.Configure
		if seen.Foreign {
			change.Adopts = &engine.Adoption{What: fmt.Sprintf("secret %s/%s, made by another party", g.namespace, g.name)}
		}
	}
	for _, key := range seen.Missing {
		change.Fields = append(change.Fields, engine.Field{Path: at{path: "data"}.field(key).path, Secret: true})
	}
	return change
}

// Apply generates what is missing. It never overwrites: should somebody have written the Secret since it was observed,
// the API server refuses and the next run sees what is there.
func (g *Generated) Apply(ctx context.Context, seen GeneratedSeen) error {
	values := make(map[string][]byte, len(seen.Missing))
	for _, key := range seen.Missing {
		value, err := g.keys[key]()
		if err != nil {
			return fmt.Errorf("generate %s of secret %s/%s: %w", key, g.namespace, g.name, err)
		}
		values[key] = value
	}
	api := g.client.Clientset.CoreV1().Secrets(g.namespace)
	var err error
	if seen.Exists {
		var patch []byte
		if patch, err = json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": seen.version}, "data": values}); err == nil {
			_, err = api.Patch(ctx, g.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
		}
	} else {
		made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: g.name, Labels: map[string]string{ManagedByLabel: FieldManager}}, Data: values}
		_, err = api.Create(ctx, made, metav1.CreateOptions{FieldManager: FieldManager})
	}
	if err != nil {
		return fmt.Errorf("write secret %s/%s: %w", g.namespace, g.name, err)
	}
	return nil
}

// Value is what a key holds: *engine.NotYetError as long as it was not generated.
func (g *Generated) Value(ctx context.Context, key string) (secret.Text, error) {
	g.mu.Lock()
	value := g.values[key]
	g.mu.Unlock()
	if len(value) > 0 {
		return secret.New(string(value)), nil
	}
	live, err := g.read(ctx)
	if err != nil {
		return secret.Text{}, err
	}
	if live == nil || len(live.Data[key]) == 0 {
		return secret.Text{}, &engine.NotYetError{After: g.ID(), Why: "secret " + g.namespace + "/" + g.name + " has no " + key}
	}
	return secret.New(string(live.Data[key])), nil
}

// RefuseRemoval keeps a Secret that somebody else made.
func (g *Generated) RefuseRemoval(ctx context.Context) string {
	live, err := g.read(ctx)
	switch {
	case err != nil:
		return "cannot be read: " + err.Error()
	case live != nil && live.Labels[ManagedByLabel] != FieldManager:
		return "was not made by " + FieldManager
	}
	return ""
}

// Remove deletes the Secret if we made it.
func (g *Generated) Remove(ctx context.Context) error {
	live, err := g.read(ctx)
	if err != nil || live == nil || live.Labels[ManagedByLabel] != FieldManager {
		return err
	}
	err = g.client.Clientset.CoreV1().Secrets(g.namespace).Delete(ctx, g.name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &live.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete secret %s/%s: %w", g.namespace, g.name, err)
	}
	return nil
}
