package stage

import (
	"context"
	"errors"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// proving is a proof that shows what it is told to, with its note in a cluster.
func proving(outcome *struct {
	missing string
	err     error
}) *Proof {
	note := Note{Kube: &kube.Client{Clientset: fake.NewClientset()}, Namespace: "onyxia", Name: "s3-proof"}
	return &Proof{
		Stage: "s3", Note: ProofNote{stage: "s3", note: note}, Digest: "d", How: "two users are made",
		Show: func(context.Context) (string, error) { return outcome.missing, outcome.err },
	}
}

func TestPlanOfAProof(t *testing.T) {
	p := &Proof{Stage: "s3", Digest: "d", How: "two users are made"}
	for name, tc := range map[string]struct {
		seen   Shown
		action engine.Action
		why    string
	}{
		"never":                 {Shown{}, engine.Create, "not shown yet: two users are made"},
		"asked, and never":      {Shown{Asked: true}, engine.Create, "not shown yet"},
		"another configuration": {Shown{Digest: "e", At: "then"}, engine.Configure, "shown for another configuration: two users are made"},
		"shown":                 {Shown{Digest: "d", At: "then"}, engine.Unchanged, "shown at then"},
		"shown in part":         {Shown{Digest: "d", At: "then", Missing: "what users may do"}, engine.Unchanged, "not shown: what users may do; the rest was shown at then"},
		"shown, and asked":      {Shown{Digest: "d", At: "then", Asked: true}, engine.Configure, "to be shown again: two users are made"},
	} {
		if got := p.Plan(tc.seen); got.Action != tc.action || !strings.HasPrefix(got.Why, tc.why) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What is noted after each outcome, and what of it stays after the next.
func TestNoteOfAProof(t *testing.T) {
	outcome := &struct {
		missing string
		err     error
	}{missing: "what users may do"}
	p := proving(outcome)
	run := func(ctx context.Context) error {
		t.Helper()
		seen, err := p.Observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p.Apply(ctx, seen)
	}
	noted := func(when, digest, missing string) {
		t.Helper()
		if seen, err := p.Observe(t.Context()); err != nil || seen.Digest != digest || seen.Missing != missing {
			t.Errorf("%s: %+v, %v", when, seen, err)
		}
	}
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
	noted("in part", "d", "what users may do")
	outcome.missing = ""
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
	noted("all of it", "d", "")
	outcome.missing = "what users may do"
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
	noted("in part, after all of it", "d", "")

	stopped, stop := context.WithCancel(t.Context())
	stop()
	outcome.err = context.Canceled
	if err := run(stopped); !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "s3 is not shown to work: ") {
		t.Errorf("stopped: %v", err)
	}
	noted("stopped", "d", "")
	outcome.err = errors.New("a neighbour's bucket is open")
	if err := run(t.Context()); !errors.Is(err, outcome.err) {
		t.Errorf("failed: %v", err)
	}
	noted("failed", "", "")
}
