package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Right is one permission: a verb on a resource.
type Right struct {
	Group string
	// Resource in the plural, with a subresource after a slash: "pods/portforward".
	Resource string
	Verb     string
	// Namespace is empty for all of them, and for resources outside of namespaces.
	Namespace string
	// Name is empty for every object.
	Name string
}

// String reads "create deployments.apps in namespace onyxia".
func (r Right) String() string {
	said := r.Verb + " " + r.Resource
	if r.Group != "" {
		said += "." + r.Group
	}
	if r.Name != "" {
		said += " " + r.Name
	}
	if r.Namespace == "" {
		return said + " in the whole cluster"
	}
	return said + " in namespace " + r.Namespace
}

func compareRights(a, b Right) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Verb, b.Verb))
}

// Missing asks the API server about each right (SelfSubjectAccessReview) and returns those that we don't have, sorted.
func (c *Client) Missing(ctx context.Context, rights []Right) ([]Right, error) {
	rights = slices.Compact(slices.SortedFunc(slices.Values(rights), compareRights))
	denied := make([]bool, len(rights))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, r := range rights {
		group.Go(func() error {
			allowed, err := c.allowed(inner, r)
			denied[i] = !allowed
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []Right
	for i, r := range rights {
		if denied[i] {
			missing = append(missing, r)
		}
	}
	return missing, nil
}

func (c *Client) allowed(ctx context.Context, r Right) (bool, error) {
	resource, sub, _ := strings.Cut(r.Resource, "/")
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Group: r.Group, Resource: resource, Subresource: sub, Verb: r.Verb, Namespace: r.Namespace, Name: r.Name,
	}}}
	answer, err := c.Clientset.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("ask whether we may %s: %w", r, err)
	}
	return answer.Status.Allowed, nil
}

// The parts of rbac.authorization.k8s.io/v1 that a role is written with; its own types print empty fields.
type (
	role struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Metadata   roleMeta `json:"metadata"`
		Rules      []rule   `json:"rules"`
	}
	roleMeta struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace,omitempty"`
	}
	rule struct {
		APIGroups     []string `json:"apiGroups"`
		Resources     []string `json:"resources"`
		ResourceNames []string `json:"resourceNames,omitempty"`
		Verbs         []string `json:"verbs"`
	}
)

// AsRole writes the rights as YAML that an administrator can apply: a ClusterRole for those in the whole cluster and a
// Role for each namespace, each with the command that binds it. It is empty for no rights.
func AsRole(rights []Right) string {
	rights = slices.Compact(slices.SortedFunc(slices.Values(rights), compareRights))
	var documents []string
	for len(rights) > 0 {
		namespace := rights[0].Namespace
		n := slices.IndexFunc(rights, func(r Right) bool { return r.Namespace != namespace })
		if n < 0 {
			n = len(rights)
		}
		documents = append(documents, document(namespace, rights[:n]))
		rights = rights[n:]
	}
	return strings.Join(documents, "---\n")
}

func document(namespace string, rights []Right) string {
	r := role{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "Role", Metadata: roleMeta{Name: FieldManager, Namespace: namespace}, Rules: rulesOf(rights)}
	bind := fmt.Sprintf("kubectl create rolebinding %s -n %s --role=%s --user=NAME", FieldManager, namespace, FieldManager)
	if namespace == "" {
		r.Kind = "ClusterRole"
		bind = fmt.Sprintf("kubectl create clusterrolebinding %s --clusterrole=%s --user=NAME", FieldManager, FieldManager)
	}
	text, err := yaml.Marshal(r)
	if err != nil {
		return "# " + err.Error() + "\n"
	}
	return "# bind it by: " + bind + "\n" + string(text)
}

// rulesOf makes one rule for each resource and name, then joins the resources that share all else.
func rulesOf(rights []Right) (rules []rule) {
	for _, r := range rights {
		var names []string
		if r.Name != "" {
			names = []string{r.Name}
		}
		last := len(rules) - 1
		if last >= 0 && rules[last].APIGroups[0] == r.Group && rules[last].Resources[0] == r.Resource && slices.Equal(rules[last].ResourceNames, names) {
			rules[last].Verbs = append(rules[last].Verbs, r.Verb)
			continue
		}
		rules = append(rules, rule{APIGroups: []string{r.Group}, Resources: []string{r.Resource}, ResourceNames: names, Verbs: []string{r.Verb}})
	}
	var joined []rule
	for _, r := range rules {
		i := slices.IndexFunc(joined, func(j rule) bool {
			return j.APIGroups[0] == r.APIGroups[0] && slices.Equal(j.Verbs, r.Verbs) && len(j.ResourceNames)+len(r.ResourceNames) == 0
		})
		if i < 0 {
			joined = append(joined, r)
			continue
		}
		joined[i].Resources = append(joined[i].Resources, r.Resources...)
	}
	return joined
}
