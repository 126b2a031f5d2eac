package vault

import (
	"context"
	"net/http"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// reachable is Vault at its public address, as a browser on Onyxia's page meets it. The page awaits its login there
// before it shows anything.
type reachable struct{ env stage.Env }

// public is a client without a token for the public address.
func public(env stage.Env) (*vault.Client, error) {
	client, err := env.Public()
	if err != nil {
		return nil, err
	}
	return &vault.Client{HTTP: client, Address: env.Platform.VaultURL()}, nil
}

// Observe asks what a browser asks; what is wrong with the answer is the observation.
func (r *reachable) Observe(ctx context.Context) (string, error) {
	if _, err := r.env.Links.Address.Get(); err != nil && !r.env.Platform.Vault.External() {
		return "", err
	}
	client, err := public(r.env)
	if err != nil {
		return "", err
	}
	state, err := client.Health(ctx)
	if err == nil && !state.Open() {
		return r.env.Platform.VaultURL() + " is " + state.String(), nil
	}
	if err == nil {
		err = client.Preflight(ctx, "auth/"+r.env.Platform.Vault.AuthPath+"/login", http.MethodPost, r.env.Platform.OnyxiaURL())
	}
	if err != nil && ctx.Err() == nil {
		return err.Error(), nil
	}
	return "", err
}

// Plan waits as long as a browser could not go on.
func (r *reachable) Plan(trouble string) engine.Change {
	if trouble != "" {
		return engine.Change{Action: engine.Pending, Why: trouble}
	}
	return engine.Change{Action: engine.Unchanged}
}

// Apply has nothing to write.
func (r *reachable) Apply(context.Context, string) error { return nil }

// Ready is the same question.
func (r *reachable) Ready(ctx context.Context) (engine.Health, error) {
	trouble, err := r.Observe(ctx)
	return engine.Health{Ready: err == nil && trouble == "", Reason: trouble}, err
}
