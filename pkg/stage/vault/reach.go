package vault

import (
	"context"
	"net/http"

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

// trouble asks what a browser asks, and gives what is wrong with the answer.
func (r *reachable) trouble(ctx context.Context) (string, error) {
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
