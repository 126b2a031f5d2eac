package vault

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func (d *datalab) proofOf(t *testing.T) Proof {
	return Proof{
		Client: d.client(), Operator: d.root(), Mount: "jwt", Role: "onyxia-user", KV: "onyxia-kv", UserPrefix: "user-", GroupPrefix: "projet-",
		User:      ProofUser{"onyxia-proof-a", d.issuer.token(t, "onyxia-proof-a", []string{"onyxia-proof-g"}, nil)},
		Neighbour: ProofUser{"onyxia-proof-b", d.issuer.token(t, "onyxia-proof-b", nil, nil)},
		Group:     "onyxia-proof-g", OtherGroup: "onyxia-proof-h", Origin: onyxiaOrigin,
	}
}

// left is what a proof left in Vault.
func (d *datalab) left(t *testing.T) []string {
	t.Helper()
	var left []string
	for _, folder := range []string{"user-onyxia-proof-a", "user-onyxia-proof-b", "projet-onyxia-proof-g", "projet-onyxia-proof-h"} {
		keys, err := d.root().List(t.Context(), "onyxia-kv/metadata/"+folder)
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		left = append(left, keys...)
	}
	accessors, err := d.root().List(t.Context(), "auth/token/accessors")
	if err != nil {
		t.Fatal(err)
	}
	for _, accessor := range accessors {
		var token struct {
			Data struct {
				Name string `json:"display_name"`
			} `json:"data"`
		}
		if err := d.root().Write(t.Context(), "auth/token/lookup-accessor", map[string]string{"accessor": accessor}, &token); err == nil && strings.Contains(token.Data.Name, "proof") {
			left = append(left, "token of "+token.Data.Name)
		}
	}
	names, err := d.root().List(t.Context(), "identity/entity/name")
	if err != nil && !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if len(names) > 0 {
		left = append(left, names...)
	}
	return left
}

func TestProof(t *testing.T) {
	d := startDatalab(t)
	d.configure(t)
	ctx := t.Context()
	var lines []string
	report := func(l string) { lines = append(lines, l) }
	if err := d.proofOf(t).Run(ctx, report); err != nil {
		t.Fatal(err)
	}
	if want := []string{
		"the browser may ask from https://onyxia.demo.test",
		"and from no other origin",
		"onyxia-proof-a logs in with a token of the realm",
		"onyxia-proof-b, who is in no group, logs in as well",
		"onyxia-proof-a writes, reads and lists onyxia-kv/user-onyxia-proof-a/",
		"neither reaches the other's folder",
		"the list of onyxia-kv/ is refused",
		"onyxia-kv/projet-onyxia-proof-g/ is open to its members and to nobody else",
	}; !slices.Equal(lines, want) {
		t.Errorf("said:\n%s", strings.Join(lines, "\n"))
	}
	if left := d.left(t); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	alone := d.proofOf(t)
	alone.Operator = nil
	if err := alone.Run(ctx, nil); err != nil {
		t.Fatalf("without an operator: %v", err)
	}
	if left := d.left(t); len(left) != 2 || !strings.HasPrefix(left[0], "entity_") {
		t.Errorf("without an operator, left over but for two identities: %v", left)
	}
	if err := d.proofOf(t).Run(ctx, nil); err != nil {
		t.Fatal(err)
	}
	// A session of an operator is enough to clean up with.
	session, err := d.client().OpenSession(ctx, d.opened.RootToken, OperatorPolicy, d.setup.OperatorPolicyText())
	if err != nil {
		t.Fatal(err)
	}
	// Broken in every way that it is there to find, it says so and still cleans up.
	for name, c := range map[string]struct {
		breakIt func(*Proof)
		want    string
	}{
		"everybody may everything": {func(*Proof) {
			d.write(t, "sys/policies/acl/onyxia", map[string]string{"policy": `path "onyxia-kv/*" { capabilities = ["create", "read", "update", "delete", "list"] }`})
		}, "it was allowed"},
		"the list of all is open": {func(*Proof) {
			d.write(t, "sys/policies/acl/default", map[string]string{"policy": `path "onyxia-kv/metadata/" { capabilities = ["list"] }
path "auth/token/*" { capabilities = ["read", "update"] }`})
		}, "list of onyxia-kv: should have been refused"},
		"no policy": {func(*Proof) { d.write(t, "sys/policies/acl/onyxia", map[string]string{"policy": `path "x" {}`}) }, "write to the folder user-onyxia-proof-a"},
		"no CORS": {func(*Proof) {
			d.write(t, "sys/config/cors", map[string]any{"allowed_origins": []string{"https://theirs.example.org"}})
		}, "preflight"},
		"audience":   {func(p *Proof) { p.User.JWT = d.issuer.token(t, p.User.Name, nil, map[string]any{"aud": "account"}) }, "audience mapper"},
		"no group":   {func(p *Proof) { p.User.JWT = d.issuer.token(t, p.User.Name, nil, nil) }, "write to the folder projet-onyxia-proof-g"},
		"both in it": {func(p *Proof) { p.Neighbour.JWT = d.issuer.token(t, p.Neighbour.Name, []string{"onyxia-proof-g"}, nil) }, "should have been refused"},
		"no role":    {func(p *Proof) { p.Role = "none" }, "kubectl onyxia vault configure"},
	} {
		p := d.proofOf(t)
		p.Operator = session.Client
		c.breakIt(&p)
		err := p.Run(ctx, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if left := d.left(t); len(left) > 0 {
			t.Errorf("%s: left over: %v", name, left)
		}
		d.write(t, "sys/policies/acl/default", map[string]string{"policy": `path "auth/token/*" { capabilities = ["read", "update"] }`})
		d.configure(t)
	}
	t.Run("interrupted", d.proofInterrupted)
}

func (d *datalab) write(t *testing.T, path string, in any) {
	t.Helper()
	if err := d.root().Write(t.Context(), path, in, nil); err != nil {
		t.Fatal(err)
	}
}

// Ctrl-C after each line: nothing is left.
func (d *datalab) proofInterrupted(t *testing.T) {
	for after := 1; after <= 7; after++ {
		ctx, cancel := context.WithCancel(t.Context())
		said := 0
		err := d.proofOf(t).Run(ctx, func(string) {
			if said++; said == after {
				cancel()
			}
		})
		// What could not be asked any more is not said to hold.
		if !errors.Is(err, context.Canceled) || said != after {
			t.Errorf("interrupted after line %d: %d lines, %v", after, said, err)
		}
		if left := d.left(t); len(left) > 0 {
			t.Errorf("interrupted after line %d: left over: %v", after, left)
		}
		cancel()
	}
}
