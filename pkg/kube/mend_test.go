package kube_test

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// Each row spoils a live object by hand; mending leaves no difference, and leaves alone what nobody wants otherwise.
func TestMendPutsDriftedObjectsBack(t *testing.T) {
	tests := map[string]struct {
		file   string
		spoil  func(t *testing.T, live map[string]any)
		differ string
		keeps  func(live *unstructured.Unstructured) bool
	}{
		"a config map's key": {"configmap.yaml", func(t *testing.T, o map[string]any) {
			set(t, o, "a: 2", "data", "application.yaml")
			set(t, o, "theirs", "data", "more")
		}, "data[application.yaml]", func(o *unstructured.Unstructured) bool {
			more, _, _ := unstructured.NestedString(o.Object, "data", "more")
			return more == "theirs"
		}},
		"a secret's key": {"secret.yaml", func(t *testing.T, o map[string]any) { set(t, o, "eA==", "data", "b") }, "data.b", nil},
		"a deployment's image and extra container": {"deployment.yaml", func(t *testing.T, o map[string]any) {
			containers, _, _ := unstructured.NestedSlice(o, "spec", "template", "spec", "containers")
			containers[0].(map[string]any)["image"] = "other"
			set(t, o, append(containers, map[string]any{"name": "extra", "image": "x"}), "spec", "template", "spec", "containers")
		}, "spec.template.spec.containers", nil},
		"a deployment's volume turned into another": {"deployment.yaml", func(t *testing.T, o map[string]any) {
			volumes, _, _ := unstructured.NestedSlice(o, "spec", "template", "spec", "volumes")
			volumes[0] = map[string]any{"name": "tmp", "hostPath": map[string]any{"path": "/"}}
			set(t, o, volumes, "spec", "template", "spec", "volumes")
		}, "spec.template.spec.volumes[tmp].emptyDir", nil},
		"a service's ports": {"service.yaml", func(t *testing.T, o map[string]any) {
			ports, _, _ := unstructured.NestedSlice(o, "spec", "ports")
			ports[1].(map[string]any)["name"] = "tls"
			set(t, o, append(ports, map[string]any{"name": "extra", "port": int64(81)}), "spec", "ports")
		}, "spec.ports", func(o *unstructured.Unstructured) bool {
			ip, _, _ := unstructured.NestedString(o.Object, "spec", "clusterIP")
			return ip != ""
		}},
		"an ingress's host": {"ingress.yaml", func(t *testing.T, o map[string]any) {
			set(t, o, []any{map[string]any{"host": "evil.example.org"}}, "spec", "rules")
		}, "spec.rules[0].host", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, c, ns := connect(t)
			want := manifest(t, tt.file, ns)[0]
			mended(t, c, want)
			node := nodePorts(read(t, c, want))
			edit(t, c, want, func(o map[string]any) { tt.spoil(t, o) })
			found := kube.Differences(want, read(t, c, want))
			if len(found) == 0 || !strings.HasPrefix(found[0].Path, tt.differ) {
				t.Fatalf("%+v", found)
			}
			mended(t, c, want)
			live := read(t, c, want)
			if left := kube.Differences(want, live); len(left) != 0 {
				t.Errorf("left over: %+v", left)
			}
			if tt.keeps != nil && !tt.keeps(live) {
				t.Errorf("lost what nobody wanted to change: %v", live.Object)
			}
			if got := nodePorts(live); got != node {
				t.Errorf("node ports changed from %s to %s", node, got)
			}
		})
	}
}

// nodePorts are the ports that the cluster gave a Service.
func nodePorts(o *unstructured.Unstructured) (all string) {
	ports, _, _ := unstructured.NestedSlice(o.Object, "spec", "ports")
	for _, p := range ports {
		port, _, _ := unstructured.NestedFieldNoCopy(p.(map[string]any), "nodePort")
		if number, ok := port.(int64); ok {
			all += " " + string(rune(number))
		}
	}
	return all
}

func TestMendKeepsTheAuthorityOfAWebhook(t *testing.T) {
	_, c, ns := connect(t)
	want := object(t, `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: `+ns+`},
  webhooks: [{name: a.example.org, admissionReviewVersions: [v1], sideEffects: None, failurePolicy: Ignore, clientConfig: {service: {namespace: none, name: none}}, rules: []}]}`, "")
	mended(t, c, want)
	edit(t, c, want, func(o map[string]any) {
		hooks, _, _ := unstructured.NestedSlice(o, "webhooks")
		hook := hooks[0].(map[string]any)
		hook["clientConfig"].(map[string]any)["caBundle"] = "QUJD"
		hook["failurePolicy"] = "Fail"
		set(t, o, hooks, "webhooks")
	})
	mended(t, c, want)
	hooks, _, _ := unstructured.NestedSlice(read(t, c, want).Object, "webhooks")
	hook := hooks[0].(map[string]any)
	if hook["failurePolicy"] != "Ignore" || hook["clientConfig"].(map[string]any)["caBundle"] != "QUJD" {
		t.Errorf("%v", hook)
	}
}

func TestMendOfAnImmutableField(t *testing.T) {
	_, c, ns := connect(t)
	mended(t, c, object(t, deployment(`[{name: a, image: b}]`), ns))
	var immutable *kube.ImmutableError
	err := c.Mend(t.Context(), object(t, strings.ReplaceAll(deployment(`[{name: a, image: b}]`), "a: b}", "a: c}"), ns))
	if !errors.As(err, &immutable) || immutable.Fields[0] != "spec.selector" {
		t.Errorf("got %v", err)
	}
}
