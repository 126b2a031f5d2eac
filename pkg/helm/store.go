package helm

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// The labels that our releases carry beside Helm's own (owner, name, status, version).
const (
	labelManagedBy   = "onyxia.sh/managed-by"
	labelChartSHA256 = "onyxia.sh/chart-sha256"
	// labelInstallation names the datalab that a release is of; releases of older versions of the plugin have none.
	labelInstallation = "onyxia.sh/installation"
	// labelAdopted marks a release that another party made. Helm keeps it over upgrades.
	labelAdopted = "onyxia.sh/adopted"
)

// maxLabelValue is what Kubernetes takes for a label's value; a sha256 in hex is one longer.
const maxLabelValue = 63

// store reads the releases of one namespace: one list of Secrets for all of them in each observation round.
type store struct {
	client    *Client
	namespace string
	names     map[string]bool // the releases that are asked for; guarded by client.mu
	shared    *engine.Shared[listing]
}

// listing is what one list gave: the newest Secret of each release asked for.
type listing struct {
	asked  []string
	newest map[string]*revision
}

// revision is one release Secret, unpacked when somebody looks at it.
type revision struct {
	secret *corev1.Secret
	client *Client
	once   sync.Once
	stored *Stored
	err    error
}

func (r *revision) open() (*Stored, error) {
	r.once.Do(func() {
		if r.stored, r.err = decode(r.secret); r.err == nil {
			r.stored.Party = r.client.party(r.secret.Labels)
		}
	})
	return r.stored, r.err
}

func (r *revision) number() int {
	n, err := strconv.Atoi(r.secret.Labels["version"])
	if err != nil {
		return 0
	}
	return n
}

// store gives the store of a namespace and makes sure that its next list asks for the release.
func (c *Client) store(namespace, name string) *store {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stores[namespace]
	if s == nil {
		s = &store{client: c, namespace: namespace, names: map[string]bool{}}
		s.shared = engine.NewShared(s.list)
		if c.stores == nil {
			c.stores = map[string]*store{}
		}
		c.stores[namespace] = s
	}
	s.names[name] = true
	return s
}

func (s *store) wanted() []string {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	names := make([]string, 0, len(s.names))
	for name := range s.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// list reads the Secrets of the releases asked for, without those of superseded revisions: a release of Traefik weighs
// half a megabyte, and Helm keeps several.
func (s *store) list(ctx context.Context) (listing, error) {
	names := s.wanted()
	newest, err := s.newest(ctx, fmt.Sprintf("owner=helm,name in (%s),status!=superseded", strings.Join(names, ",")))
	return listing{asked: names, newest: newest}, err
}

func (s *store) newest(ctx context.Context, selector string) (map[string]*revision, error) {
	secrets, err := s.client.Kube.Clientset.CoreV1().Secrets(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("releases of namespace %s (Helm keeps them in Secrets): %w", s.namespace, err)
	}
	newest := map[string]*revision{}
	for i := range secrets.Items {
		r := &revision{secret: &secrets.Items[i], client: s.client}
		name := r.secret.Labels["name"]
		if old := newest[name]; old == nil || r.number() > old.number() {
			newest[name] = r
		}
	}
	return newest, nil
}

// get gives the newest revision of a release, or nil if there is none.
func (s *store) get(ctx context.Context, name string) (*Stored, error) {
	seen, err := s.shared.Get(ctx)
	if err == nil && !slices.Contains(seen.asked, name) {
		s.shared.Forget()
		seen, err = s.shared.Get(ctx)
	}
	if err != nil {
		return nil, err
	}
	if r := seen.newest[name]; r != nil {
		return r.open()
	}
	// A run cut off between two writes of Helm's may have left superseded revisions only.
	rest, err := s.newest(ctx, "owner=helm,name="+name)
	if err != nil || rest[name] == nil {
		return nil, err
	}
	return rest[name].open()
}
