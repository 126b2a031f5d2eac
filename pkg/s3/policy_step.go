package s3

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// CannedPolicy is a named policy in MinIO, as a step: "policy.s3/stsonly". The whole document is ours: a statement that
// somebody added by hand goes away, and the plan shows it.
type CannedPolicy struct {
	Admin *Admin
	Name  string
	Want  Policy
	// Shared says that others use the server, too: a policy without our ID is theirs, and neither written over nor removed.
	Shared bool
}

// Owns tells whether a policy document carries that ID.
func Owns(document []byte, id string) bool {
	policy, err := ParsePolicy(document)
	return err == nil && id != "" && policy.ID == id
}

// PolicyID is the step's ID.
func PolicyID(name string) engine.ID { return engine.ID("policy.s3/" + name) }

// PolicySeen is a policy as the server has it.
type PolicySeen struct {
	Exists bool
	Policy Policy
	// Unreadable is why the document could not be read; such a one is written over.
	Unreadable string
}

// Observe reads the policy.
func (c CannedPolicy) Observe(ctx context.Context) (PolicySeen, error) {
	document, err := c.Admin.PolicyDocument(ctx, c.Name)
	if err != nil || document == nil {
		return PolicySeen{}, err
	}
	policy, err := ParsePolicy(document)
	if err != nil {
		return PolicySeen{Exists: true, Unreadable: err.Error()}, nil
	}
	return PolicySeen{Exists: true, Policy: policy}, nil
}

// Plan compares what the two documents mean, not how they are written.
func (c CannedPolicy) Plan(seen PolicySeen) engine.Change {
	switch {
	case !seen.Exists:
		return engine.Change{Action: engine.Create, Why: fmt.Sprintf("MinIO has no policy %q", c.Name)}
	case seen.Unreadable == "" && seen.Policy.Canonical() == c.Want.Canonical():
		return engine.Change{Action: engine.Unchanged}
	case c.theirs(seen):
		return engine.Change{
			Action: engine.Blocked, Fields: differences(seen.Policy, c.Want),
			Why: fmt.Sprintf("policy %q of this MinIO was not written by this datalab, and says something else than users need", c.Name),
			Fix: fmt.Sprintf("look at it: mc admin policy info ALIAS %s; if nobody uses it, remove it: mc admin policy remove ALIAS %s", c.Name, c.Name),
		}
	case seen.Unreadable != "":
		return engine.Change{Action: engine.Configure, Why: seen.Unreadable}
	default:
		return engine.Change{Action: engine.Configure, Fields: differences(seen.Policy, c.Want)}
	}
}

// theirs tells a policy that somebody else has written.
func (c CannedPolicy) theirs(seen PolicySeen) bool {
	return c.Shared && seen.Exists && (c.Want.ID == "" || seen.Policy.ID != c.Want.ID)
}

// RefuseRemoval keeps what somebody else has written.
func (c CannedPolicy) RefuseRemoval(ctx context.Context) string {
	if seen, err := c.Observe(ctx); err != nil || !c.theirs(seen) {
		return ""
	}
	return fmt.Sprintf("policy %q was not written by this datalab", c.Name)
}

// differences are the statements that only one of the two has, named by what they are about.
func differences(seen, want Policy) []engine.Field {
	var out []engine.Field
	if seen.Version != want.Version {
		out = append(out, engine.Field{Path: "Version", From: seen.Version, To: want.Version})
	}
	has, wants := byText(seen), byText(want)
	for text, statement := range has {
		if _, both := wants[text]; !both {
			out = append(out, engine.Field{Path: subject(statement), From: text})
		}
	}
	for text, statement := range wants {
		if _, both := has[text]; !both {
			out = append(out, engine.Field{Path: subject(statement), To: text})
		}
	}
	slices.SortFunc(out, func(a, b engine.Field) int {
		return slices.Compare([]string{a.Path, a.From, a.To}, []string{b.Path, b.From, b.To})
	})
	return out
}

func byText(p Policy) map[string]Statement {
	out := map[string]Statement{}
	for _, s := range p.Statement {
		out[s.Canonical()] = s
	}
	return out
}

// subject names a statement in a diff: "Statement[Allow arn:aws:s3:::projet-group1]".
func subject(s Statement) string {
	about := slices.Concat(sorted(s.Resource), sorted(s.NotResource), sorted(s.Action), sorted(s.NotAction))
	if len(about) == 0 {
		return fmt.Sprintf("Statement[%s]", s.Effect)
	}
	return fmt.Sprintf("Statement[%s %s]", s.Effect, about[0])
}

// Apply writes the policy. MinIO uses it from the next request on, for credentials that are out already too.
func (c CannedPolicy) Apply(ctx context.Context, _ PolicySeen) error {
	return c.Admin.PutPolicy(ctx, c.Name, c.Want)
}

// Remove takes the policy away: everybody who came by it is refused from the next request on.
func (c CannedPolicy) Remove(ctx context.Context) error { return c.Admin.RemovePolicy(ctx, c.Name) }
