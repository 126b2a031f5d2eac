package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// Mend puts an object of a release manifest back as the manifest has it: by a JSON merge patch (RFC 7386) of the wanted
// fields, or by creating it. It sends what Differences compares, so that afterwards there are none.
func (c *Client) Mend(ctx context.Context, want *unstructured.Unstructured) error {
	want = normalized(want)
	resource, err := c.resource(want)
	if err != nil {
		return err
	}
	live, err := c.Get(ctx, want)
	if err != nil {
		return err
	}
	if live == nil {
		_, err = resource.Create(ctx, want, metav1.CreateOptions{FieldManager: FieldManager})
		return refusal(want, err)
	}
	patch, err := json.Marshal(mendPatch(want, live))
	if err != nil {
		return fmt.Errorf("write %s: %w", describe(want), err)
	}
	_, err = resource.Patch(ctx, want.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
	return refusal(want, err)
}

// mendPatch is the wanted content. A merge patch replaces lists whole, so the elements of two lists keep what the
// cluster added to them: the certificate authority of a webhook, the node port of a Service.
func mendPatch(want, live *unstructured.Unstructured) map[string]any {
	patch := maps.Clone(want.Object)
	switch want.GetKind() {
	case "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration":
		patch["webhooks"] = overlaid(want.Object["webhooks"], live.Object["webhooks"], "name")
	case "Service":
		spec := maps.Clone(mapOf(want.Object["spec"]))
		if spec["ports"] != nil {
			spec["ports"] = overlaid(spec["ports"], mapOf(live.Object["spec"])["ports"], "port", "protocol")
			patch["spec"] = spec
		}
	}
	return chosenLeftOut(patch).(map[string]any)
}

// overlaid lays each wanted element over the live one with the same key.
func overlaid(want, live any, names ...string) []any {
	elements, _ := want.([]any)
	there, _ := live.([]any)
	used := make([]bool, len(there))
	merged := make([]any, 0, len(elements))
	for _, w := range elements {
		j := unused(there, used, func(l any) bool { return hasKey(w, l, names) })
		if j < 0 {
			merged = append(merged, w)
			continue
		}
		used[j] = true
		merged = append(merged, overlay(w, there[j]))
	}
	return merged
}

func overlay(want, live any) any {
	w, l := mapOf(want), mapOf(live)
	if w == nil || l == nil {
		return want
	}
	merged := maps.Clone(l)
	for key, value := range w {
		if !unset(key, value, merged[key]) {
			merged[key] = overlay(value, merged[key])
		}
	}
	return merged
}

// chosenLeftOut drops the empty values whose place the cluster fills in.
func chosenLeftOut(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	kept := make(map[string]any, len(m))
	for key, value := range m {
		if !empty(value) || !chosen(key) {
			kept[key] = chosenLeftOut(value)
		}
	}
	return kept
}
