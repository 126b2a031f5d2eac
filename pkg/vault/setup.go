package vault

import (
	"context"
	"slices"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Setup is all that Onyxia needs inside a Vault.
type Setup struct {
	Access Access
	// Needs are the steps that come before any of these: the release, the open Vault, the realm.
	Needs []engine.ID
	// AuthPath, KV, PolicyName and RoleName are the names inside Vault.
	AuthPath, KV, PolicyName, RoleName string
	// Issuer and CAPEM of the realm.
	Issuer, CAPEM string
	// Audience that tokens must have: the client of Onyxia's web for Vault.
	Audience string
	// UserClaim and GroupsClaim of the tokens.
	UserClaim, GroupsClaim string
	// UserPrefix, GroupPrefix and NamesChecked: see userPolicy.
	UserPrefix, GroupPrefix string
	NamesChecked            bool
	// Names, if set, is told of users whose names, or whose groups' names where nobody checks those, mean something in a
	// path: for issuers that let people have them, or did once. See userNames.
	Names func(doubt string)
	// Groups is how many groups of one user count; upstream's documentation has 10.
	Groups int
	// TTL of users' tokens, and MaxTTL up to which a program may renew its own.
	TTL, MaxTTL time.Duration
	// Origin of Onyxia's web.
	Origin string
	// AuditFile is "stdout" or a path in Vault's container; empty for no audit device of ours.
	AuditFile string
	// AuditDeclared says that the server's configuration declares it; see auditDevice.
	AuditDeclared bool
	// UI, if set, lets people log in on Vault's own pages.
	UI *UILogin
	// Operator, if set, lets a service account of the realm configure Vault with OperatorPolicy, so that a later run
	// needs neither a root token nor key shares.
	Operator *OperatorLogin
	// Lasting says that what the steps make is part of the server's volume, and stays there when the server is taken away.
	// Only the users' secrets can then be removed, by name.
	Lasting bool
	// Shared says that others use this Vault as well, perhaps for another datalab.
	Shared bool
}

// mark is what our login and our policy are known by. In a Vault that others use as well it names the datalab.
func (s Setup) mark() string {
	if s.Shared {
		return usersMark + " at " + s.Origin
	}
	return usersMark
}

const usersMark = "users of Onyxia"

// secretsEngine is where the secrets of users and groups are.
func (s Setup) secretsEngine() kvMount {
	mark := kvDescription
	if s.Shared {
		mark += " of " + s.Issuer
	}
	return kvMount{Access: s.Access, Path: s.KV, Mark: mark, Shared: s.Shared, Login: ourLogin{Path: s.AuthPath, Mark: s.mark(), Issuer: s.Issuer}}
}

// UILogin is the login of people on the pages of Vault's UI. It has a mount of its own, with an accessor of its own, and
// therefore a policy of its own; both reach the same folders.
type UILogin struct {
	Client OIDCClient
	// URL of Vault as the browser sees it.
	URL string
	// AuthPath, PolicyName and RoleName are the names inside Vault.
	AuthPath, PolicyName, RoleName string
}

// OperatorLogin is the service account that may configure. Whoever rules the realm can make a token for any user anyhow,
// so this trusts nobody more than before. Its session ends when the auth mount is removed: remove the steps with a session
// from the keys.
type OperatorLogin struct {
	// Role is the role's name.
	Role string
	// UserClaim names the account: "azp".
	UserClaim string
	// Claims that its tokens must have, such as azp: the client's id.
	Claims map[string]string
}

func (s Setup) id(kind, name string) engine.ID { return engine.ID(kind + ".vault/" + name) }

// lasting hides that a resource can be removed.
type lasting[S any] struct{ engine.Resource[S] }

// guarded stays when nobody can look at it: what is in a Vault that others run does not go with a server of ours.
type guarded[S any] struct {
	engine.Resource[S]
	engine.Remover
	access Access
}

// RefuseRemoval says why it stays.
func (g guarded[S]) RefuseRemoval(ctx context.Context) string {
	if why := g.access.missing(ctx); why != "" {
		return why
	}
	if r, ok := g.Resource.(engine.Refuser); ok {
		return r.RefuseRemoval(ctx)
	}
	return ""
}

// part makes one of the steps.
func part[S any](s Setup, id engine.ID, r engine.Resource[S], needs ...engine.ID) engine.Step {
	removable, ok := r.(engine.Remover)
	switch {
	case s.Lasting:
		return engine.New(id, lasting[S]{r}, needs...)
	case ok && s.Shared:
		return engine.New(id, guarded[S]{r, removable, s.Access}, needs...)
	}
	return engine.New(id, r, needs...)
}

// Steps are the steps in their dependencies.
func (s Setup) Steps() []engine.Step {
	steps := []engine.Step{}
	first := s.Needs
	if s.AuditFile != "" {
		audit := s.id("audit", "stdout")
		steps = append(steps, part(s, audit, auditDevice{Access: s.Access, Path: "stdout", File: s.AuditFile, Declared: s.AuditDeclared}, s.Needs...))
		first = append(slices.Clone(s.Needs), audit)
	}
	kv := s.id("mount", s.KV)
	steps = append(steps,
		engine.New(kv, s.secretsEngine(), first...).HoldingData("the secrets of users and groups in "+s.KV),
		part(s, s.id("cors", "onyxia"), corsAccess{Access: s.Access, Origin: s.Origin}, first...),
	)
	config := authConfig{Access: s.Access, Mount: s.AuthPath, Issuer: s.Issuer, CAPEM: s.CAPEM, DefaultRole: s.RoleName, Mark: s.mark()}
	steps = append(steps, s.login(first, authMount{Access: s.Access, Path: s.AuthPath, Type: "jwt", Listed: s.UI == nil, Mark: s.mark()}, config, s.userPolicy(), s.userRole())...)
	if s.UI != nil {
		config.Mount, config.DefaultRole, config.OIDC = s.UI.AuthPath, s.UI.RoleName, &s.UI.Client
		policy := s.userPolicy()
		policy.Name = s.UI.PolicyName
		steps = append(steps, s.login(first, authMount{Access: s.Access, Path: s.UI.AuthPath, Type: "oidc", Listed: true, Mark: s.mark()}, config, policy, s.uiRole())...)
	}
	if s.Operator != nil {
		operator := s.id("policy", OperatorPolicy)
		steps = append(steps,
			part(s, operator, fixedPolicy{Access: s.Access, Name: OperatorPolicy, rules: s.operatorRules()}, first...),
			part(s, s.id("role", s.Operator.Role), s.operatorRole(), append(slices.Clone(first), s.id("auth", s.AuthPath), s.id("config", s.AuthPath), operator)...))
	}
	return steps
}

// login are the steps of one auth method: the mount makes its accessor known, the policy names it, the role gives the policy.
func (s Setup) login(first []engine.ID, m authMount, c authConfig, p userPolicy, r loginRole) []engine.Step {
	mount, config, policy := s.id("auth", m.Path), s.id("config", c.Mount), s.id("policy", p.Name)
	accessor := engine.NewOutput[string](mount)
	m.Accessor, p.Accessor = accessor, accessor
	needs := func(more ...engine.ID) []engine.ID { return append(slices.Clone(first), more...) }
	steps := []engine.Step{
		part(s, mount, m, first...),
		part(s, config, c, needs(mount)...),
		part(s, policy, p, needs(mount, s.id("mount", s.KV))...),
		part(s, s.id("role", r.Name), r, needs(mount, config, policy)...),
	}
	if s.Names == nil {
		return steps
	}
	names := userNames{Access: s.Access, Accessor: accessor, UserPrefix: p.UserPrefix, GroupPrefix: p.GroupPrefix, Groups: !p.NamesChecked, Tell: s.Names}
	return append(steps, engine.New(s.id("names", m.Path), names, needs(mount)...))
}

func (s Setup) userPolicy() userPolicy {
	return userPolicy{Access: s.Access, Name: s.PolicyName, KV: s.KV, UserPrefix: s.UserPrefix, GroupPrefix: s.GroupPrefix,
		NamesChecked: s.NamesChecked, Groups: s.Groups, Mark: s.mark(), Shared: s.Shared}
}

func (s Setup) userRole() loginRole {
	return loginRole{Access: s.Access, Mount: s.AuthPath, Name: s.RoleName, Type: "jwt", UserClaim: s.UserClaim, Audiences: []string{s.Audience},
		GroupsClaim: s.GroupsClaim, Groups: s.Groups, Policies: []string{s.PolicyName}, TTL: s.TTL, MaxTTL: s.MaxTTL}
}

func (s Setup) uiRole() loginRole {
	role := s.userRole()
	role.Mount, role.Name, role.Type = s.UI.AuthPath, s.UI.RoleName, "oidc"
	role.Audiences, role.Policies, role.Scopes = []string{s.UI.Client.ID}, []string{s.UI.PolicyName}, []string{"profile"}
	role.RedirectURIs = []string{s.UI.URL + "/ui/vault/auth/" + s.UI.AuthPath + "/oidc/callback"}
	return role
}

func (s Setup) operatorRole() loginRole {
	return loginRole{Access: s.Access, Mount: s.AuthPath, Name: s.Operator.Role, Type: "jwt", UserClaim: s.Operator.UserClaim, Audiences: []string{s.Audience},
		BoundClaims: s.Operator.Claims, Policies: []string{OperatorPolicy}, TTL: SessionTime, MaxTTL: SessionTime, Batch: true}
}
