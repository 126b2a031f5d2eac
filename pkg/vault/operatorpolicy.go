package vault

import (
	"context"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// ProofPrefix begins the names of the users and groups that Proof is run with, so that an operator may clean up after them and
// reach nobody else's secrets.
const ProofPrefix = platform.VaultProofPrefix

// OperatorPolicyText is the policy of a session: what Steps reads and writes. It opens no user's secret by itself. But who may
// write policies and roles can give itself any right, so whoever has this policy is root in effect, and so is whoever rules
// the realm whose service account has it. A policy that could not do so could not be mended by a later run either.
func (s Setup) OperatorPolicyText() string { return s.operatorRules().text() }

func (s Setup) operatorRules() rules {
	all := []string{"create", "read", "update", "delete"}
	// Vault asks for sudo on these paths (vault 1.14.1, root paths of the system backend).
	sudo := []string{"create", "read", "update", "delete", "sudo"}
	r := rules{
		"sys/audit":                          {"read", "sudo"},
		"sys/audit/stdout":                   sudo,
		"sys/auth":                           {"read"},
		"sys/mounts":                         {"read"},
		"sys/mounts/" + s.KV:                 all,
		s.KV + "/config":                     {"read"},
		"sys/policies/acl/" + OperatorPolicy: all,
		"sys/config/cors":                    sudo,
		"identity/entity-alias/id":           {"list"},
		"identity/entity/id/*":               {"read", "delete"},
		s.KV + "/metadata/" + s.UserPrefix + ProofPrefix + "*":  {"list", "read", "delete"},
		s.KV + "/metadata/" + s.GroupPrefix + ProofPrefix + "*": {"list", "read", "delete"},
	}
	login := func(mount, policy, role string) {
		r["sys/auth/"+mount] = sudo
		r["sys/auth/"+mount+"/tune"] = []string{"read", "update", "sudo"}
		r["auth/"+mount+"/config"] = all
		r["sys/policies/acl/"+policy] = all
		r["auth/"+mount+"/role/"+role] = all
	}
	login(s.AuthPath, s.PolicyName, s.RoleName)
	if s.Shared {
		r["sys/mounts/"+s.KV+"/tune"] = []string{"update"}
	}
	if s.UI != nil {
		login(s.UI.AuthPath, s.UI.PolicyName, s.UI.RoleName)
	}
	if s.Operator != nil {
		r["auth/"+s.AuthPath+"/role/"+s.Operator.Role] = all
	}
	return r
}

// fixedPolicy is a policy that depends on nothing inside Vault.
type fixedPolicy struct {
	Access Access
	Name   string
	rules  rules
}

// Observe reads the policy; nil means it is not there.
func (p fixedPolicy) Observe(ctx context.Context) (*string, error) {
	c, err := p.Access(ctx)
	if err != nil {
		return nil, err
	}
	return c.policy(ctx, p.Name)
}

// Plan compares path by path.
func (p fixedPolicy) Plan(seen *string) engine.Change {
	if seen == nil {
		return engine.Change{Action: engine.Create}
	}
	return comparePolicy(*seen, p.rules)
}

// Apply writes it.
func (p fixedPolicy) Apply(ctx context.Context, _ *string) error {
	c, err := p.Access(ctx)
	if err != nil {
		return err
	}
	return c.writePolicy(ctx, p.Name, p.rules.text())
}

// Remove deletes it.
func (p fixedPolicy) Remove(ctx context.Context) error {
	c, err := p.Access(ctx)
	if err != nil {
		return err
	}
	return c.Delete(ctx, "sys/policies/acl/"+p.Name)
}
