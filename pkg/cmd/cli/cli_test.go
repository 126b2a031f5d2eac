package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

func TestCode(t *testing.T) {
	timeout := &engine.NotReadyError{Reason: "Pending", TimedOut: true}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"done":             {nil, 0},
		"any":              {errors.New("x"), 1},
		"changes":          {ErrChanges, 2},
		"check":            {fmt.Errorf("wrapped: %w", ErrCheck), 3},
		"locked":           {fmt.Errorf("wrapped: %w", &kube.LockedError{Holder: "ana@desk/1"}), 5},
		"usage":            {Usagef("no such %s", "thing"), 64},
		"timeout":          {errors.Join(errors.New("other"), timeout), 124},
		"hopeless":         {&engine.NotReadyError{Reason: "ErrImagePull"}, 1},
		"interrupted":      {fmt.Errorf("%w: %w", engine.ErrStopped, ErrInterrupted), 130},
		"interrupted wait": {errors.Join(timeout, ErrInterrupted), 130},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Code(c.err); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestPrintPlan(t *testing.T) {
	plan := engine.Plan{Steps: []engine.Planned{
		{ID: "namespace/onyxia", Change: engine.Change{Action: engine.Unchanged}},
		{ID: "release.helm/onyxia", Change: engine.Change{Action: engine.Configure, Why: "changed by\n hand", Fields: []engine.Field{
			{Path: "a", From: "1", To: "2"}, {Path: "b", To: "new"}, {Path: "c", From: "old"}, {Path: "password", Secret: true},
		}}},
		{ID: "realm.keycloak/lab", Change: engine.Change{Action: engine.Create, After: "release.helm/keycloak"}},
		{ID: "volume/minio", Change: engine.Change{Action: engine.Replace, Risk: "all objects"}},
		{ID: "release.helm/minio", Change: engine.Change{Action: engine.Blocked, Why: "namespace minio is being deleted", Fix: "wait for it"}},
	}}
	var out bytes.Buffer
	New(genericiooptions.NewTestIOStreamsDiscard(), nil, "kubectl onyxia").PrintPlan(&out, plan, false)
	want := `release.helm/onyxia configure: changed by hand
    a: 1 -> 2
    b: + new
    c: - old
    password: (secret)
realm.keycloak/lab create, known after release.helm/keycloak
volume/minio replace (risk: all objects)
release.helm/minio blocked: namespace minio is being deleted: wait for it
1 to create, 1 to configure, 1 to replace, 1 blocked, 1 unchanged
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

func TestProgressKeepsStreamsApart(t *testing.T) {
	var out, errOut bytes.Buffer
	p := New(genericiooptions.IOStreams{ErrOut: &errOut}, nil, "kubectl onyxia").Progress(&out)
	for _, e := range []engine.Event{
		{Kind: engine.Started, ID: "release.helm/a"},
		{Kind: engine.Waiting, ID: "release.helm/a", Reason: "pod a-1:\nContainerCreating", Elapsed: 3400 * time.Millisecond},
		{Kind: engine.Waiting, ID: "release.helm/a", Reason: "pod a-1:\nContainerCreating", Elapsed: 18 * time.Second},
		{Kind: engine.Done, ID: "release.helm/a", Result: "created"},
		{Kind: engine.Done, ID: "volume/a", Result: "kept", Change: engine.Change{Action: engine.Kept, Why: "holds objects", Fix: "--delete-data volume/a"}},
		{Kind: engine.Done, ID: "release.helm/p", Result: "configured", Change: engine.Change{Action: engine.Configure, Why: "a run that was cut off left it\npending-upgrade"}},
		{Kind: engine.Done, ID: "release.helm/q", Result: "unchanged", Change: engine.Change{Action: engine.Unchanged, Why: "127.0.0.1"}},
		{Kind: engine.Failed, ID: "release.helm/b", Err: errors.New("x")},
		{Kind: engine.Skipped, ID: "release.helm/c", Reason: "needs release.helm/b"},
		{Kind: engine.Skipped, ID: "release.helm/d", Reason: "needs release.helm/c"},
		{Kind: engine.Skipped, ID: "release.helm/e", Reason: "interrupted"},
	} {
		p.Report(e)
	}
	if d := cmp.Diff("release.helm/a created\nvolume/a kept: holds objects (--delete-data volume/a)\n"+
		"release.helm/p configured: a run that was cut off left it pending-upgrade\nrelease.helm/q unchanged\n", out.String()); d != "" {
		t.Error(d)
	}
	want := "waiting for release.helm/a (3s): pod a-1: ContainerCreating\nwaiting for release.helm/a (18s)\nrelease.helm/b failed\nrelease.helm/c skipped: needs release.helm/b\n"
	if d := cmp.Diff(want, errOut.String()); d != "" {
		t.Error(d)
	}
}

func TestStructured(t *testing.T) {
	for format, want := range map[Format]string{"json": "{\n  \"a\": 1\n}\n", "yaml": "a: 1\n"} {
		var out bytes.Buffer
		if err := Structured(&out, format, map[string]int{"a": 1}); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s: %q", format, out.String())
		}
	}
	format := Format("yaml")
	if err := format.Set("xml"); err == nil || !strings.Contains(err.Error(), "json, yaml") || format != "yaml" {
		t.Errorf("got %v, %s", err, format)
	}
}

// Helm takes -n and its like out of a plugin's arguments and puts them into the environment.
func TestUnderHelm(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "config")
	text := "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, namespace: mine}}, {name: prod, context: {cluster: p}}]}"
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	for name, c := range map[string]struct {
		env       map[string]string
		flag      string
		namespace string
		context   string
	}{
		"the context's own":   {env: map[string]string{"HELM_PLUGIN_DIR": "/p", "HELM_NAMESPACE": "mine"}},
		"another context's":   {env: map[string]string{"HELM_PLUGIN_DIR": "/p", "HELM_NAMESPACE": "mine", "HELM_KUBECONTEXT": "prod"}, namespace: "mine", context: "prod"},
		"under kubectl":       {env: map[string]string{"HELM_NAMESPACE": "x"}},
		"namespace":           {env: map[string]string{"HELM_PLUGIN_DIR": "/p", "HELM_NAMESPACE": "x"}, namespace: "x"},
		"nobody named one":    {env: map[string]string{"HELM_PLUGIN_DIR": "/p", "HELM_NAMESPACE": "default"}, flag: "prod", context: "prod"},
		"context":             {env: map[string]string{"HELM_PLUGIN_DIR": "/p", "HELM_KUBECONTEXT": "prod"}, context: "prod"},
		"own flag goes first": {env: map[string]string{"HELM_PLUGIN_DIR": "/p", "HELM_KUBECONTEXT": "prod"}, flag: "test", context: "test"},
	} {
		t.Run(name, func(t *testing.T) {
			o := New(genericiooptions.NewTestIOStreamsDiscard(), nil, "helm onyxia")
			o.Kube = genericclioptions.NewConfigFlags(true)
			*o.Kube.Context = c.flag
			o.underHelm(func(key string) (string, bool) { v, ok := c.env[key]; return v, ok })
			if *o.Kube.Namespace != c.namespace || *o.Kube.Context != c.context {
				t.Errorf("namespace %q, context %q", *o.Kube.Namespace, *o.Kube.Context)
			}
		})
	}
}

// What Helm hands over beside the namespace: without it a debug log, a group or a certificate that is not checked was dropped.
func TestUnderHelmEverythingElse(t *testing.T) {
	env := map[string]string{"HELM_PLUGIN_DIR": "/p", "HELM_DEBUG": "true", "HELM_KUBEASGROUPS": "a,b", "HELM_KUBEINSECURE_SKIP_TLS_VERIFY": "true"}
	o := New(genericiooptions.NewTestIOStreamsDiscard(), nil, "helm onyxia")
	o.underHelm(func(key string) (string, bool) { v, ok := env[key]; return v, ok })
	if !o.Debug || !*o.Kube.Insecure || !slices.Equal(*o.Kube.ImpersonateGroup, []string{"a", "b"}) {
		t.Errorf("debug %v, insecure %v, groups %v", o.Debug, *o.Kube.Insecure, *o.Kube.ImpersonateGroup)
	}
}

// Without a terminal nobody is asked: the answer is no, and the flag is named.
func TestRiskWithoutTerminal(t *testing.T) {
	streams, in, _, _ := genericiooptions.NewTestIOStreams()
	in.WriteString("y\n")
	a := &Apply{Options: New(streams, nil, "kubectl onyxia")}
	plan := engine.Plan{Steps: []engine.Planned{{ID: "volume/a", Change: engine.Change{Action: engine.Replace, Risk: "objects"}}}}
	if err := a.agree(t.Context(), plan); !errors.Is(err, ErrUnasked) || !strings.Contains(err.Error(), "volume/a: objects: ") || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("got %v", err)
	}
	a.Yes = true
	if err := a.agree(t.Context(), plan); err != nil {
		t.Errorf("got %v", err)
	}
}

// A stage is asked for its doubts before the run where it stands, and else after it.
func TestStanding(t *testing.T) {
	step := func(stage string, action engine.Action) engine.Planned {
		return engine.Planned{Stage: stage, Change: engine.Change{Action: action}}
	}
	plan := engine.Plan{Steps: []engine.Planned{
		step("auth", engine.Unchanged), step("auth", engine.Configure), step("s3", engine.Unchanged), step("s3", engine.Create), step("other", engine.Create),
	}}
	stand, rest := standing([]string{"auth", "s3", "app"}, plan)
	if !slices.Equal(stand, []string{"auth", "app"}) || !slices.Equal(rest, []string{"s3"}) {
		t.Errorf("%q stand, %q do not", stand, rest)
	}
}

// What turned out graver during the apply is told in the error where nobody can be asked.
func TestConsentWithoutTerminal(t *testing.T) {
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	a := &Apply{Options: New(streams, nil, "kubectl onyxia")}
	now := engine.Change{Action: engine.Configure, Why: "it differs", Risk: "it is theirs"}
	err := a.consent(t.Context(), "realm/a", engine.Change{Action: engine.Create}, now)
	if !errors.Is(err, ErrUnasked) || !strings.Contains(err.Error(), "it differs; it is theirs: ") {
		t.Errorf("got %v", err)
	}
	a.Yes = true
	if err := a.consent(t.Context(), "realm/a", engine.Change{Action: engine.Create}, now); err != nil {
		t.Errorf("got %v", err)
	}
}

// Each error begins with "error:"; what follows its first line can be copied as it is.
func TestReport(t *testing.T) {
	right := kube.Right{Verb: "get", Resource: "secrets", Namespace: "lab"}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"one":     {errors.New("no domain"), "error: no domain\n"},
		"several": {errors.Join(errors.New("a"), errors.New("b")), "error: a\nerror: b\n"},
		"usage":   {Usagef("no stage %q", "x"), "error: no stage \"x\"\nsee kubectl onyxia up --help\n"},
		"a role": {kube.Denied(errors.New("forbidden"), []kube.Right{right}, nil), `error: this user may not get secrets in namespace lab; ask an administrator for this role:
# bind it by: kubectl create rolebinding kubectl-onyxia -n lab --role=kubectl-onyxia --user=NAME
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: kubectl-onyxia
  namespace: lab
rules:
- apiGroups:
  - ""
  resources:
  - secrets
  verbs:
  - get
`},
	} {
		t.Run(name, func(t *testing.T) {
			streams, _, _, errOut := genericiooptions.NewTestIOStreams()
			New(streams, nil, "kubectl onyxia").Report(t.Context(), "kubectl onyxia up", c.err)
			if d := cmp.Diff(c.want, errOut.String()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSilent(t *testing.T) {
	for err, want := range map[error]bool{ErrChanges: true, ErrCheck: true, ErrBlocked: true, errors.New("x"): false} {
		if Silent(err) != want {
			t.Errorf("%v: %v", err, Silent(err))
		}
	}
	if Silent(fmt.Errorf("bucket x: %w", ErrCheck)) {
		t.Error("what is said with a failed check is lost")
	}
}

func TestTheCommandToRunAgainShowsNoToken(t *testing.T) {
	for in, want := range map[string]string{
		"up tls --timeout 3s":    "up tls --timeout 3s",
		"up --token=abc tls":     "up --token=... tls",
		"--token abc up":         "--token ... up",
		"up --token":             "up --token",
		"up --user x --token ab": "up --user x --token ...",
	} {
		if got := again(strings.Fields(in)); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
