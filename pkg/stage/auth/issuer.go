package auth

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/onyxia"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// issuer is the login as everything else sees it: its discovery document at its public address. Onyxia's API ends at once
// when it cannot read it, so the app comes after this.
type issuer struct{ env stage.Env }

func issuerStep(env stage.Env) engine.Step {
	needs := []engine.ID{reachID, stage.AddressID, stage.CertificateID}
	if !env.Platform.Auth.OtherIssuer() {
		needs = append(needs, env.Keycloak.Realm.ID())
	}
	return engine.New(stage.IssuerID, stage.Gate((&issuer{env: env}).trouble), needs...)
}

// trouble reads the discovery document, and gives what is wrong with it.
func (i *issuer) trouble(ctx context.Context) (string, error) {
	if _, err := i.env.Links.Address.Get(); err != nil && i.env.Platform.Auth.InstallsKeycloak() {
		return "", err
	}
	if err := i.doubts(ctx); err != nil {
		return "", err
	}
	client, err := i.env.Public()
	if err != nil {
		return "", err
	}
	found, err := keycloak.Discover(ctx, client, i.env.Platform.Issuer(), i.env.Platform.OnyxiaURL())
	if err != nil {
		if ctx.Err() != nil {
			return "", err
		}
		return err.Error(), nil
	}
	for _, doubt := range append(found.Doubts, missingClaims(i.env.Platform, found.Claims)...) {
		i.env.Warn("issuer " + found.Issuer + ": " + doubt)
	}
	return "", nil
}

// expected is what the realm is to be measured by.
func expected(env stage.Env) (keycloak.Expected, error) {
	component, err := env.Profile.Component("onyxia")
	if err != nil {
		return keycloak.Expected{}, err
	}
	generation, err := onyxia.Generation(component.Chart.Version)
	return keycloak.Expected{
		Settings: settings(env), Terms: len(env.Platform.Auth.Terms) > 0, MaxUsername: env.Platform.MaxUsername(),
		// The web application of these charts has keycloak-js 21.
		Nonce: generation == onyxia.Schema4,
	}, err
}

// doubts tells what lets strangers into the realm or keeps people out, whatever the steps do.
func (i *issuer) doubts(ctx context.Context) error {
	if i.env.Platform.Auth.OtherIssuer() {
		return nil
	}
	expected, err := expected(i.env)
	if err != nil {
		return err
	}
	told, err := i.env.Keycloak.Realm.Doubts(ctx, expected)
	for _, doubt := range told {
		i.env.Warn(doubt)
	}
	return err
}

// missingClaims: an issuer need not say which claims it gives (OpenID Connect Discovery 1.0, section 3), but if it does, those
// that everything goes by should be among them. A Keycloak of ours gives them by mappers, which it does not list.
func missingClaims(p platform.Platform, supported []string) []string {
	var list []string
	for key, claim := range map[string]string{"usernameClaim": p.Auth.UsernameClaim, "groupsClaim": p.Auth.GroupsClaim} {
		if p.Auth.OtherIssuer() && len(supported) > 0 && !slices.Contains(supported, claim) {
			list = append(list, fmt.Sprintf("it does not say that it gives the claim %s: have it put into access tokens, or set auth.%s", claim, key))
		}
	}
	slices.Sort(list)
	return list
}
