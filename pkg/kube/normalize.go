package kube

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// lastApplied is where client-side kubectl keeps a copy of the whole object, a Secret's values too.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// The API server does not say which of its fields are optional. The functions below name the few, out of those that
// charts and we write, where leaving a field out and writing an empty value are not what they are elsewhere
// (k8s.io/api v0.37).

// meaningful tells fields that say something when empty, false or zero: pointers without a default that would show.
func meaningful(key string) bool {
	switch key {
	case "emptyDir", "podSelector", "namespaceSelector", "storageClassName", "automountServiceAccountToken",
		"allowPrivilegeEscalation", "runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup":
		return true
	}
	return false
}

// chosen tells fields that the cluster fills in when they are wanted empty.
func chosen(key string) bool {
	switch key {
	case "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "volumeName", "imagePullPolicy", "protocol", "type",
		"dnsPolicy", "schedulerName", "sessionAffinity", "serviceAccount", "serviceAccountName", "caBundle":
		return true
	}
	return false
}

// ordered tells lists of named elements whose order means something: one may refer to those before it, or runs after them.
func ordered(key string) bool { return key == "env" || key == "initContainers" }

// quantity tells fields that hold amounts, which have many spellings ("1000m" is "1").
func quantity(parent, key string) bool {
	switch parent {
	case "limits", "requests", "hard", "capacity", "overhead", "default", "defaultRequest", "min", "max":
		return true
	case "resourceFieldRef":
		return key == "divisor"
	case "emptyDir":
		return key == "sizeLimit"
	case "target":
		return key == "averageValue" || key == "value"
	}
	return false
}

// secretVariable reports whether a list element is an environment variable whose value is not to be shown.
func secretVariable(list string, name any) bool { return list == "env" && secret.Named(text(name)) }

// unset tells whether a wanted value says no more than a field that is not there, or leaves the choice to the cluster.
func unset(key string, want, live any) bool {
	if !empty(want) || meaningful(key) {
		return false
	}
	return live == nil || empty(live) || chosen(key)
}

func empty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case string:
		return x == ""
	case bool:
		return !x
	case map[string]any:
		return len(x) == 0
	case []any:
		return len(x) == 0
	default:
		n, ok := number(v)
		return ok && n == 0
	}
}

// grows tells lists to which controllers add elements of their own (tokens and pull secrets of a service account).
func grows(kind, path string) bool {
	return kind == "ServiceAccount" && (path == "secrets" || path == "imagePullSecrets") || path == "metadata.finalizers" || path == "metadata.ownerReferences"
}

func sameScalar(p at, want, live any) bool {
	wn, wok := number(want)
	ln, lok := number(live)
	if wok && lok {
		return wn == ln
	}
	if want == live {
		return true
	}
	if p.secret {
		return sameBytes(want, live)
	}
	return quantity(p.parent, p.key) && sameQuantity(want, live)
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	default:
		return 0, false
	}
}

func sameQuantity(want, live any) bool {
	w, err := resource.ParseQuantity(text(want))
	if err != nil {
		return false
	}
	l, err := resource.ParseQuantity(text(live))
	return err == nil && w.Cmp(l) == 0
}

// sameBytes compares base64 texts by what they stand for; line breaks and padding do not count.
func sameBytes(want, live any) bool {
	w, wok := decoded(want)
	l, lok := decoded(live)
	return wok && lok && bytes.Equal(w, l)
}

func decoded(v any) ([]byte, bool) {
	s, ok := v.(string)
	if !ok {
		return nil, false
	}
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	return b, err == nil
}

// normalized is the object as the API takes it: numbers as JSON has them, no nulls, and a Secret's stringData in data.
// An object that is no JSON stays as it is; the API server will say what is wrong with it.
func normalized(o *unstructured.Unstructured) *unstructured.Unstructured {
	b, err := json.Marshal(o.Object)
	if err != nil {
		return o
	}
	n := &unstructured.Unstructured{}
	if err := n.UnmarshalJSON(b); err != nil {
		return o
	}
	withoutNulls(n.Object)
	delete(n.Object, "status")
	for _, field := range []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"} {
		unstructured.RemoveNestedField(n.Object, "metadata", field)
	}
	if n.GetKind() == "Secret" && n.GroupVersionKind().Group == "" {
		encodeStringData(n.Object)
	}
	return n
}

func encodeStringData(secret map[string]any) {
	texts := mapOf(secret["stringData"])
	delete(secret, "stringData")
	if len(texts) == 0 {
		return
	}
	data := mapOf(secret["data"])
	if data == nil {
		data = map[string]any{}
		secret["data"] = data
	}
	for key, value := range texts {
		data[key] = base64.StdEncoding.EncodeToString([]byte(text(value)))
	}
}

func withoutNulls(v any) {
	switch x := v.(type) {
	case map[string]any:
		maps.DeleteFunc(x, func(_ string, v any) bool { return v == nil })
		for _, child := range x {
			withoutNulls(child)
		}
	case []any:
		for _, child := range x {
			withoutNulls(child)
		}
	}
}
