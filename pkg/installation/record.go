package installation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// RecordName is the ConfigMap that says what was wanted last time, for the next person. It holds names of Secrets only.
const RecordName = "kubectl-onyxia"

const (
	configKey   = "onyxia.yaml"
	stagePrefix = "stage."
	// adoptedPrefix comes before what another party made and this datalab took over: adopted.release.helm_traefik.
	adoptedPrefix = "adopted."
	configID      = engine.ID("configmap/" + RecordName)
)

// record is the ConfigMap's content.
type record map[string]string

// config is what was wanted last time.
func (r record) config() (platform.Config, error) {
	config, err := platform.Parse([]byte(r[configKey]))
	if err != nil {
		return config, fmt.Errorf("the record in the cluster (configmap %s, key %s): %w; was it written by a newer version, or by hand?", RecordName, configKey, err)
	}
	return config, nil
}

// stages are those that stand.
func (r record) stages() map[string]bool {
	out := map[string]bool{}
	for key := range r {
		if name, ok := strings.CutPrefix(key, stagePrefix); ok {
			out[name] = true
		}
	}
	return out
}

// adopted are the steps whose things another party made.
func (r record) adopted() []string {
	var out []string
	for key := range r {
		if name, ok := strings.CutPrefix(key, adoptedPrefix); ok {
			out = append(out, strings.Replace(name, "_", "/", 1))
		}
	}
	slices.Sort(out)
	return out
}

// adoptedKey is the entry for a step. A key of a ConfigMap has no slash, and a step's name has no underscore.
func adoptedKey(id engine.ID) string { return adoptedPrefix + strings.Replace(string(id), "/", "_", 1) }

// recordStore reads and writes the record.
type recordStore struct {
	kube      *kube.Client
	namespace string
	shared    *engine.Shared[record]
}

func newRecordStore(client *kube.Client, namespace string) *recordStore {
	s := &recordStore{kube: client, namespace: namespace}
	s.shared = engine.NewShared(s.read)
	return s
}

// read returns nil when there is no record: the installation is new.
func (s *recordStore) read(ctx context.Context) (record, error) {
	object, err := s.kube.Clientset.CoreV1().ConfigMaps(s.namespace).Get(ctx, RecordName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the record of the installation: %w", kube.Explain(err))
	}
	if object.Data == nil {
		return record{}, nil
	}
	return object.Data, nil
}

// put sets one key, or drops it when the value is nil.
func (s *recordStore) put(ctx context.Context, key string, value *string) error {
	defer s.shared.Forget()
	patch, err := json.Marshal(map[string]any{"data": map[string]*string{key: value}})
	if err != nil {
		return fmt.Errorf("the record of the installation: %w", err)
	}
	maps := s.kube.Clientset.CoreV1().ConfigMaps(s.namespace)
	_, err = maps.Patch(ctx, RecordName, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: kube.FieldManager})
	if apierrors.IsNotFound(err) && value != nil {
		object := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: RecordName, Labels: map[string]string{kube.ManagedByLabel: kube.FieldManager}},
			Data:       map[string]string{key: *value},
		}
		_, err = maps.Create(ctx, object, metav1.CreateOptions{FieldManager: kube.FieldManager})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("the record of the installation: %w", kube.Explain(err))
	}
	return nil
}

func (s *recordStore) remove(ctx context.Context) error {
	defer s.shared.Forget()
	err := s.kube.Clientset.CoreV1().ConfigMaps(s.namespace).Delete(ctx, RecordName, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("the record of the installation: %w", kube.Explain(err))
	}
	return nil
}

// Adopted is what the thing was before it was taken over; empty for one that was not.
func (s *recordStore) Adopted(ctx context.Context, id engine.ID) (string, error) {
	seen, err := s.shared.Get(ctx)
	return seen[adoptedKey(id)], err
}

// Note remembers that a thing was taken over, or forgets it.
func (s *recordStore) Note(ctx context.Context, id engine.ID, what string) error {
	if what == "" {
		return s.put(ctx, adoptedKey(id), nil)
	}
	return s.put(ctx, adoptedKey(id), &what)
}

// keeps says why the record has to stay when everything else has gone: it alone tells what was there before.
func (s *recordStore) keeps(ctx context.Context) (string, error) {
	seen, err := s.shared.Get(ctx)
	if adopted := seen.adopted(); len(adopted) > 0 {
		return "tells that " + strings.Join(adopted, ", ") + " was adopted", err
	}
	return "", err
}

// keepsHome is what keeps the namespace of the record.
func (s *recordStore) keepsHome(ctx context.Context) (string, error) {
	why, err := s.keeps(ctx)
	if why == "" {
		return "", err
	}
	return "configmap/" + RecordName + ", which " + why, err
}

// entry is one key of the record as a step.
type entry struct {
	store     *recordStore
	key, want string
}

// Observe reads the record once for all entries.
func (e *entry) Observe(ctx context.Context) (record, error) { return e.store.shared.Get(ctx) }

// Plan compares the entry.
func (e *entry) Plan(seen record) engine.Change {
	switch value, there := seen[e.key]; {
	case !there:
		return engine.Change{Action: engine.Create}
	case value != e.want:
		change := engine.Change{Action: engine.Configure, Why: "the wanted configuration differs from the recorded one"}
		if e.key == configKey {
			change.Risk = seen.risk(e.want)
		}
		return change
	}
	return engine.Change{Action: engine.Unchanged}
}

// Apply writes it.
func (e *entry) Apply(ctx context.Context, _ record) error { return e.store.put(ctx, e.key, &e.want) }

// RefuseRemoval keeps the record as long as it tells what was adopted.
func (e *entry) RefuseRemoval(ctx context.Context) string {
	if e.key != configKey {
		return ""
	}
	why, err := e.store.keeps(ctx)
	if err != nil {
		return "cannot be read: " + err.Error()
	}
	return why
}

// Remove drops it. With the wanted configuration, which everything else comes after, the record itself goes.
func (e *entry) Remove(ctx context.Context) error {
	if e.key == configKey {
		return e.store.remove(ctx)
	}
	return e.store.put(ctx, e.key, nil)
}

// stageID is the entry that says a stage stands.
func stageID(name string) engine.ID { return engine.ID("stage.onyxia/" + name) }
