package kube

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GenericProvider is what a cluster is when its nodes do not say where they run.
const GenericProvider = "generic"

// Provider tells where the cluster runs, from its first nodes: one of the values of ingress.provider. When the nodes may
// not be read it returns GenericProvider and the error.
func (c *Client) Provider(ctx context.Context) (string, error) {
	nodes, err := c.Clientset.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 10})
	if err != nil {
		return GenericProvider, fmt.Errorf("list nodes to see where the cluster runs: %w", err)
	}
	for i := range nodes.Items {
		if p := providerOf(&nodes.Items[i]); p != GenericProvider {
			return p, nil
		}
	}
	return GenericProvider, nil
}

// providerOf reads spec.providerID, which a cloud's controller sets, then the labels and names that products set. A
// cluster on bare metal looks like any other; it is never guessed, because a Service without a load balancer would then
// be made where one is there.
func providerOf(n *corev1.Node) string {
	if n.Name == "docker-desktop" || strings.HasPrefix(n.Spec.ProviderID, "kind://docker/desktop/") {
		return "docker-desktop"
	}
	scheme, _, _ := strings.Cut(n.Spec.ProviderID, ":")
	switch scheme {
	case "aws", "azure", "digitalocean", "scaleway", "exoscale", "kind":
		return scheme
	case "gce":
		return "gcp"
	case "oci":
		return "oracle"
	}
	if strings.HasPrefix(scheme, "ocid1.") {
		return "oracle"
	}
	for _, known := range []struct{ label, provider string }{
		{"eks.amazonaws.com/", "aws"},
		{"cloud.google.com/gke-", "gcp"},
		{"kubernetes.azure.com/", "azure"},
		{"doks.digitalocean.com/", "digitalocean"},
		{"k8s.scaleway.com/", "scaleway"},
		{"node.exoscale.net/", "exoscale"},
		{"oci.oraclecloud.com/", "oracle"},
	} {
		for label := range n.Labels {
			if strings.HasPrefix(label, known.label) {
				return known.provider
			}
		}
	}
	return GenericProvider
}
