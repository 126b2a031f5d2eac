package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
)

// worthKeeping are the kinds of which an object that we do not know keeps its namespace. Volume claims all do, see claims.
func worthKeeping() []schema.GroupVersionResource {
	apps, batch := appsv1.SchemeGroupVersion, batchv1.SchemeGroupVersion
	return []schema.GroupVersionResource{
		corev1.SchemeGroupVersion.WithResource("secrets"),
		apps.WithResource("deployments"), apps.WithResource("statefulsets"), apps.WithResource("daemonsets"), apps.WithResource("replicasets"),
		batch.WithResource("cronjobs"), batch.WithResource("jobs"),
		corev1.SchemeGroupVersion.WithResource("pods"),
	}
}

// strangers finds Secrets and workloads that neither we nor our releases made. What they hold is not read.
func (n *Namespace) strangers(ctx context.Context) (found []string, err error) {
	client, err := metadata.NewForConfig(n.client.Config)
	if err != nil {
		return nil, err
	}
	for _, kind := range worthKeeping() {
		list, err := client.Resource(kind).Namespace(n.name).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("list %s in %s: %w", kind.Resource, n.name, err)
		}
		for i := range list.Items {
			o := &list.Items[i]
			if _, held := n.secrets[o.Name]; held && kind.Resource == "secrets" {
				// Whether it goes before the namespace is for its step to say.
				continue
			}
			if !n.knows(o) {
				found = append(found, strings.TrimSuffix(kind.Resource, "s")+"/"+o.Name)
			}
		}
	}
	return found, nil
}

// Marks of Helm (pkg/action/validate.go, pkg/release/hook.go) and of the service account controller.
const (
	helmReleaseAnnotation    = "meta.helm.sh/release-name"
	helmHookAnnotation       = "helm.sh/hook"
	serviceAccountAnnotation = "kubernetes.io/service-account.name"
)

// knows reports whether an object goes with the namespace: what we made, what our releases made, Helm's own records, tokens of
// service accounts, and what is on its way out.
func (n *Namespace) knows(o *metav1.PartialObjectMetadata) bool {
	switch {
	case o.DeletionTimestamp != nil,
		o.Labels[ManagedByLabel] == FieldManager,
		o.Labels["owner"] == "helm",
		slices.Contains(n.releases, o.Annotations[helmReleaseAnnotation]),
		o.Annotations[helmHookAnnotation] != "",
		o.Annotations[serviceAccountAnnotation] != "",
		slices.Contains(n.known, o.Name):
		return true
	}
	return slices.ContainsFunc(o.OwnerReferences, n.owns)
}

// owns reports whether an owner is looked at itself, or is a thing of ours: a ReplicaSet of a Deployment, a Cluster that we made.
func (n *Namespace) owns(owner metav1.OwnerReference) bool {
	group, err := schema.ParseGroupVersion(owner.APIVersion)
	if err != nil {
		return false
	}
	looked := slices.ContainsFunc(worthKeeping(), func(kind schema.GroupVersionResource) bool {
		return kind.Group == group.Group && kind.Resource == strings.ToLower(owner.Kind)+"s"
	})
	return looked || slices.Contains(n.known, strings.ToLower(owner.Kind)+"."+group.Group+"/"+owner.Name)
}

// kept asks for what else keeps the namespace.
func (n *Namespace) kept(ctx context.Context) ([]string, error) {
	if n.keeping == nil {
		return nil, nil
	}
	what, err := n.keeping(ctx)
	if what == "" {
		return nil, err
	}
	return []string{what}, err
}
