package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/clientcmd"
)

// Name is what the kubeconfig calls the cluster; where there is no kubeconfig, the address stands for it.
func (c *Client) Name() string {
	raw, err := c.Flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return c.Config.Host
	}
	name := raw.CurrentContext
	if c.Flags.Context != nil {
		name = cmp.Or(*c.Flags.Context, name)
	}
	cluster := ""
	if c.Flags.ClusterName != nil {
		cluster = *c.Flags.ClusterName
	}
	if context := raw.Contexts[name]; context != nil {
		cluster = cmp.Or(cluster, context.Cluster)
	}
	return cmp.Or(cluster, c.Config.Host)
}

// absent says that KUBECONFIG names files and none of them is there: client-go takes that for an empty configuration.
func absent(flags *genericclioptions.ConfigFlags) error {
	named := os.Getenv(clientcmd.RecommendedConfigPathEnvVar)
	if flags.KubeConfig != nil && *flags.KubeConfig != "" || named == "" {
		return nil
	}
	for _, file := range filepath.SplitList(named) {
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}
	return fmt.Errorf("no cluster to talk to: KUBECONFIG names %s, which is not there; set it to the kubeconfig of your cluster", strings.Join(filepath.SplitList(named), ", "))
}

// UID tells clusters apart that have one name, or one address after the other: it is that of namespace kube-system, which is
// made once and stays.
func (c *Client) UID(ctx context.Context) (string, error) {
	ns, err := c.Clientset.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("which cluster this is, by the UID of namespace %s: %w", metav1.NamespaceSystem, Explain(err))
	}
	return string(ns.UID), nil
}
