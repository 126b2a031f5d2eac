// Package stagetest is what the tests of stages have in common: steps that stand for those of other stages, and the testbed's charts.
package stagetest

import (
	"context"
	"net/netip"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// standing is what stands already.
type standing struct{ observed func() }

func (s standing) Observe(context.Context) (struct{}, error) {
	if s.observed != nil {
		s.observed()
	}
	return struct{}{}, nil
}
func (standing) Plan(struct{}) engine.Change           { return engine.Change{Action: engine.Unchanged} }
func (standing) Apply(context.Context, struct{}) error { return nil }

// Standing is a step that finds all as it is wanted.
func Standing(id engine.ID) engine.Step { return engine.New(id, standing{}) }

// Address is the step that makes the ingress controller's address known.
func Address(links stage.Links, at netip.Addr) engine.Step {
	return engine.New(stage.AddressID, standing{observed: func() { links.Address.Set([]kube.Address{{IP: at}}) }})
}

// Complete adds steps that stand for those that the list needs and does not have.
func Complete(list []engine.Step) []engine.Step {
	there := map[engine.ID]bool{}
	for _, s := range list {
		there[s.ID] = true
	}
	complete := append([]engine.Step(nil), list...)
	for _, s := range list {
		for _, need := range s.Needs {
			if !there[need] {
				there[need] = true
				complete = append(complete, Standing(need))
			}
		}
	}
	return complete
}
