package vault

import (
	"sync"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// agreement is a person's word that keys, or a token, which do not say which Vault they are for, are for this one. The first
// step of a plan that wants to use them asks, as the risk of its change; its apply means that it was agreed to.
type agreement struct {
	mu    sync.Mutex
	asker engine.ID
	given bool
}

// ask is the question as the risk of a step; empty where an earlier step asks, or it was agreed to.
func (a *agreement) ask(step engine.ID, question string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asker == "" {
		a.asker = step
	}
	if a.given || a.asker != step {
		return ""
	}
	return question
}

// give notes that the step which asked is being applied.
func (a *agreement) give(step engine.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.given = a.given || a.asker == step
}

func (a *agreement) isGiven() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.given
}
