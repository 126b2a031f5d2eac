package kube

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NamedSecret reads the Secret that a key of the configuration names as namespace/name, with all of the data that is wanted
// of it. Errors begin with that key, and say how to make a Secret that is not there. What is no reference is not repeated:
// somebody may have put the password itself there.
func (c *Client) NamedSecret(ctx context.Context, key, reference string, wanted ...string) (map[string]string, error) {
	namespace, name, ok := strings.Cut(reference, "/")
	if !ok || namespace == "" || name == "" {
		return nil, fmt.Errorf("%s: not namespace/name of a Secret", key)
	}
	secret, err := c.Clientset.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		command := "kubectl -n " + namespace + " create secret generic " + name
		for _, field := range wanted {
			command += " --from-file=" + field + "=FILE"
		}
		return nil, fmt.Errorf("%s: there is no secret %s; make it by `%s`", key, reference, command)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, Explain(err))
	}
	data := map[string]string{}
	for _, field := range wanted {
		if len(secret.Data[field]) == 0 {
			return nil, fmt.Errorf("%s: secret %s has no key %q", key, reference, field)
		}
		data[field] = string(secret.Data[field])
	}
	return data, nil
}
