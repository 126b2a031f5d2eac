package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// What a person is told to call can be pasted: it goes to the same cluster, by the name that this machine knows.
func TestAdviceGoesToTheSamePlace(t *testing.T) {
	for name, c := range map[string]struct {
		command, context, namespace, file string
		want                              string
	}{
		"nothing chosen": {command: "kubectl onyxia", want: "run `kubectl onyxia vault init` first"},
		"under Helm":     {command: "helm onyxia", want: "run `helm onyxia vault init` first"},
		"elsewhere":      {command: "kubectl onyxia", context: "prod", namespace: "lab", file: "my lab.yaml", want: "run `kubectl onyxia --context prod -n lab -f 'my lab.yaml' vault init` first"},
	} {
		t.Run(name, func(t *testing.T) {
			o := New(genericiooptions.NewTestIOStreamsDiscard(), nil, c.command)
			*o.Kube.Context, *o.Kube.Namespace, o.File = c.context, c.namespace, c.file
			got := o.Worded("run `kubectl onyxia vault init` first")
			if got != c.want || o.Worded(got) != got {
				t.Errorf("%q, then %q", got, o.Worded(got))
			}
		})
	}
}

// What is known later only is summed up after its reason, and shown when all lines are wanted. Each reason is said once.
func TestPrintPlanSumsUp(t *testing.T) {
	later := engine.Change{Action: engine.Create, After: "release.helm/keycloak", Why: "Keycloak does not run"}
	plan := engine.Plan{Steps: []engine.Planned{
		{ID: "release.helm/keycloak", Stage: "auth", Change: engine.Change{Action: engine.Create}},
		{ID: "realm.keycloak/lab", Stage: "auth", Change: later},
		{ID: "client.keycloak/a", Stage: "auth", Change: later},
		{ID: "client.keycloak/b", Stage: "auth", Change: later},
		{ID: "client.keycloak/minio", Stage: "s3", Change: later},
		{ID: "secret/minio", Stage: "s3", Change: later},
	}}
	head := "auth:\nrelease.helm/keycloak create\nrealm.keycloak/lab create, known after release.helm/keycloak: Keycloak does not run\n"
	secret := "secret/minio create, known after release.helm/keycloak\n"
	for all, want := range map[bool]string{
		false: head + "2 more inside Keycloak, known once it runs\ns3:\n" + secret + "1 more inside Keycloak, known once it runs\n6 to create\n",
		true: head + "client.keycloak/a create, known after release.helm/keycloak\nclient.keycloak/b create, known after release.helm/keycloak\n" +
			"s3:\nclient.keycloak/minio create, known after release.helm/keycloak\n" + secret + "6 to create\n",
	} {
		var out bytes.Buffer
		New(genericiooptions.NewTestIOStreamsDiscard(), nil, "kubectl onyxia").PrintPlan(&out, plan, all)
		if d := cmp.Diff(want, out.String()); d != "" {
			t.Errorf("all=%v: %s", all, d)
		}
	}
}

func TestDryRunWords(t *testing.T) {
	for word, want := range map[string]bool{"client": true, "server": true, "none": false} {
		var on bool
		if err := (dryRun{&on}).Set(word); err != nil || on != want {
			t.Errorf("%s: %v, %v", word, on, err)
		}
	}
	var on bool
	if err := (dryRun{&on}).Set("maybe"); err == nil {
		t.Error("any word is taken")
	}
}

// Keys that anybody can read are not to be committed by accident. They are where a link leads (B4).
func TestKeysInAWorkTree(t *testing.T) {
	top := t.TempDir()
	if err := os.MkdirAll(filepath.Join(top, ".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	for link, target := range map[string]string{
		filepath.Join(outside, "file"): filepath.Join(top, "keys"), filepath.Join(outside, "folder"): top, filepath.Join(top, "out"): filepath.Join(outside, "keys"),
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{filepath.Join(top, "keys"), filepath.Join(outside, "keys")} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		flags KeyFlags
		warns bool
	}{
		"a link into it":        {KeyFlags{file: filepath.Join(outside, "file")}, true},
		"by a linked folder":    {KeyFlags{file: filepath.Join(outside, "folder", "new")}, true},
		"a link that leads out": {KeyFlags{file: filepath.Join(top, "out")}, false},
		"inside":                {KeyFlags{file: filepath.Join(top, "deep", "keys")}, true},
		"encrypted":             {KeyFlags{file: filepath.Join(top, "keys"), recipients: []string{"age1"}}, false},
		"outside":               {KeyFlags{file: filepath.Join(t.TempDir(), "keys")}, false},
		"nowhere":               {KeyFlags{}, false},
	} {
		streams, _, _, errOut := genericiooptions.NewTestIOStreams()
		New(streams, nil, "kubectl onyxia").WarnOfWorkTree(&c.flags)
		if got := strings.Contains(errOut.String(), "git work tree "+top); got != c.warns {
			t.Errorf("%s: %q", name, errOut.String())
		}
	}
}
