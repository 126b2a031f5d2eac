package root

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
)

// shortest is the length from which on a value can be a secret; shorter ones are names, ports, "true".
const shortest = 12

// helmRelease is the type of the Secrets in which Helm keeps releases.
const helmRelease corev1.SecretType = "helm.sh/release.v1"

// tellsNoSecret looks for every secret value of the cluster, and for the one of the name server, where none may be: in all that
// the script's commands were called with and printed, in every object but the Secrets' own values, in Helm's records.
func (w *world) tellsNoSecret(t *testing.T, transcript string) {
	if w.cluster == nil || t.Failed() {
		return
	}
	secrets, places := w.secrets(t), w.places(t)
	places["what the commands were called with and printed"] = transcript
	for place, text := range places {
		for name, value := range secrets {
			for _, form := range []string{value, base64.StdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value)), url.QueryEscape(value)} {
				if strings.Contains(text, form) {
					t.Errorf("the value of %s is in %s", name, place)
					break
				}
			}
		}
	}
}

// secrets are the values worth hiding, by where they are kept. What is public by nature is left out: names and
// certificates.
func (w *world) secrets(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{"the TSIG key": acmetest.Secret}
	list, err := w.cluster.Clientset().CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Items {
		if s.Type == helmRelease {
			continue
		}
		for key, value := range s.Data {
			hidden := secretPart(string(value))
			if len(hidden) >= shortest && !slices.Contains([]string{"username", "clientId", "tls.crt"}, key) {
				out[fmt.Sprintf("secret %s/%s, key %s", s.Namespace, s.Name, key)] = hidden
			}
		}
	}
	return out
}

// secretPart is the part of a value that must not be seen: of a PEM key its content, of an ACME account its key.
func secretPart(value string) string {
	var account struct {
		Key string `json:"key"`
	}
	if json.Unmarshal([]byte(value), &account) == nil && account.Key != "" {
		value = account.Key
	}
	lines := strings.Split(strings.TrimSpace(value), "\n")
	if strings.HasPrefix(value, "-----BEGIN") && len(lines) > 2 {
		return lines[1]
	}
	return strings.TrimSpace(value)
}

// places are texts in the cluster that more people may read than Secrets.
func (w *world) places(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, o := range w.objects(t) {
		if o.GetKind() == "Secret" {
			delete(o.Object, "data")
		}
		text, err := json.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		out[fmt.Sprintf("%s %s/%s", o.GetKind(), o.GetNamespace(), o.GetName())] = string(text)
	}
	list, err := w.cluster.Clientset().CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{FieldSelector: "type=" + string(helmRelease)})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Items {
		out[fmt.Sprintf("Helm's record %s/%s", s.Namespace, s.Name)] = string(unpacked(t, s.Data["release"]))
	}
	return out
}

// objects are all that there are in the cluster, of every kind that can be listed.
func (w *world) objects(t *testing.T) []unstructured.Unstructured {
	t.Helper()
	lists, err := w.cluster.Clientset().Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(w.cluster.Config)
	config.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	var all []unstructured.Unstructured
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, lists) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			found, err := client.Resource(version.WithResource(r.Name)).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, found.Items...)
		}
	}
	return all
}

// unpacked is a release as Helm's storage driver has it inside: JSON, gzip, base64.
func unpacked(t *testing.T, packed []byte) []byte {
	t.Helper()
	zipped, err := base64.StdEncoding.DecodeString(string(packed))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func packed(t *testing.T, text []byte) []byte {
	t.Helper()
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	if _, err := writer.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(zipped.Bytes()))
}

// pending leaves a release as a run does that was killed while Helm was at work: its newest record says pending-upgrade.
func (w *world) pending(t *testing.T, ts *testscript.TestScript, namespace, release string) {
	api := w.cluster.Clientset().CoreV1().Secrets(namespace)
	s, err := api.Get(t.Context(), "sh.helm.release.v1."+release+".v1", metav1.GetOptions{})
	ts.Check(err)
	var record map[string]any
	ts.Check(json.Unmarshal(unpacked(t, s.Data["release"]), &record))
	info, ok := record["info"].(map[string]any)
	if !ok {
		ts.Fatalf("the record of release %s has no info", release)
	}
	info["status"], s.Labels["status"] = "pending-upgrade", "pending-upgrade"
	text, err := json.Marshal(record)
	ts.Check(err)
	s.Data["release"] = packed(t, text)
	_, err = api.Update(t.Context(), s, metav1.UpdateOptions{})
	ts.Check(err)
}

// theirs puts a release there as another party did: Helm's record of it, with the values and the objects of two files. An
// argument is NAMESPACE RELEASE CHART VERSION VALUES MANIFEST.
func (w *world) theirs(t *testing.T, ts *testscript.TestScript, args []string) {
	namespace, name := args[0], args[1]
	var values map[string]any
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(args[4])), &values))
	text, err := json.Marshal(map[string]any{
		"name": name, "namespace": namespace, "version": 1, "config": values, "manifest": ts.ReadFile(args[5]),
		"info":  map[string]any{"status": "deployed", "first_deployed": "2026-01-01T09:00:00Z", "last_deployed": "2026-01-01T09:00:00Z"},
		"chart": map[string]any{"metadata": map[string]any{"name": args[2], "version": args[3], "apiVersion": "v2"}},
	})
	ts.Check(err)
	ts.Check(ts.Exec("kubectl", "create", "namespace", namespace))
	ts.Check(ts.Exec("kubectl", "-n", namespace, "create", "-f", ts.MkAbs(args[5])))
	record := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "sh.helm.release.v1." + name + ".v1", Labels: map[string]string{"owner": "helm", "name": name, "status": "deployed", "version": "1"}},
		Type:       helmRelease, Data: map[string][]byte{"release": packed(t, text)},
	}
	_, err = w.cluster.Clientset().CoreV1().Secrets(namespace).Create(t.Context(), record, metav1.CreateOptions{})
	ts.Check(err)
}
