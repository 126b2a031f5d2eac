package vault

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// childConfigure is the whole of a configuration from the key file, as a command does it: rights, steps, the session's
// end, the root token's end.
func childConfigure(ctx context.Context, o childOrder) error {
	client := &Client{HTTP: http.DefaultClient, Address: o.Gate}
	file := KeyFile{Path: o.File}
	setup := setupOf(*o.Configure)
	text, err := file.Read(ctx)
	if err != nil {
		return err
	}
	document, err := ParseKeys(text)
	if err != nil {
		return err
	}
	opened, err := document.Decrypt()
	if err != nil {
		return err
	}
	session, err := client.SessionByKeys(ctx, client, opened, setup.OperatorPolicyText(), nil)
	if err != nil {
		return err
	}
	setup.Access = func(context.Context) (*Client, error) { return session.Client, nil }
	run := engine.Run{Steps: setup.Steps()}
	plan, err := run.Plan(ctx)
	if err != nil {
		return err
	}
	if err := run.Apply(ctx, plan, engine.Options{Timeout: timeout}); err != nil {
		return err
	}
	return errors.Join(session.Close(ctx), client.Retire(ctx, file, opened))
}

// The process is killed by SIGKILL before and after each of its requests while it configures a bare Vault, with a root token
// in the key file and without. Each time the next run finishes, and what then stands is what is wanted. A root token that
// nobody knows is left only where the process was killed after it had made one of shares and before it had revoked it.
func TestKilledDuringConfigure(t *testing.T) {
	t.Parallel()
	d := startDatalab(t)
	g := gateOf(t, d.server)
	o := childOrder{File: d.keys.Path, Configure: &childSetup{Issuer: d.issuer.url(), CAPEM: d.issuer.caPEM(), Audit: d.audit}}
	for _, c := range []struct {
		name        string
		root, after bool
		// last request to kill at; 0 for all.
		last int
	}{
		{"with a root token, after", true, true, 0}, {"with a root token, before", true, false, 0},
		{"with key shares alone, after", false, true, 12}, {"with key shares alone, before", false, false, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			killedAt := 0
			for at := 1; c.last == 0 || at <= c.last; at++ {
				d.bare(t, c.root)
				out, killed := runChild(t, g, o, at, c.after)
				if !killed {
					if out != "" || c.last != 0 {
						t.Fatalf("request %d: %s", at, out)
					}
					break
				}
				killedAt = at
				window := unrevoked(g.requests(), c.after)
				if out, _ := runChild(t, g, o, 0, false); out != "" {
					t.Fatalf("killed at request %d, the next run: %s (%v)", at, out, g.requests())
				}
				for _, line := range d.plan(t).Steps {
					if line.Change.Action != engine.Unchanged {
						t.Errorf("killed at request %d, afterwards: %s %+v", at, line.ID, line.Change)
					}
				}
				if !readKeys(t, d.keys).RootToken.Empty() {
					t.Errorf("killed at request %d: the root token is still in the file", at)
				}
				left := d.otherRoots(t)
				if len(left) > 1 || (len(left) == 1) != window {
					t.Errorf("killed at request %d: %d root tokens are left, expected one: %v", at, len(left), window)
				}
				for _, accessor := range left {
					d.write(t, "auth/token/revoke-accessor", map[string]string{"accessor": accessor})
				}
			}
			t.Logf("killed at %d requests", killedAt)
			if killedAt < 12 {
				t.Error("that is too few for this test to say anything")
			}
		})
	}
}

// unrevoked tells whether these requests made a root token of shares and did not revoke it. The last of them was answered
// or not.
func unrevoked(requests []string, answered bool) bool {
	if !answered {
		requests = requests[:len(requests)-1]
	}
	// Two shares make one.
	given, made := 0, false
	for _, request := range requests {
		switch request {
		case "PUT /v1/sys/generate-root/update":
			given++
			made = given == 2
		case "PUT /v1/auth/token/revoke-self":
			made = false
		}
	}
	return made
}

// bare takes away all that a configuration makes, and gives the key file a new root token if asked.
func (d *datalab) bare(t *testing.T, withRoot bool) {
	t.Helper()
	ctx := t.Context()
	run := engine.Run{Steps: d.setup.Steps()}
	plan, err := run.PlanRemoval(ctx, map[engine.ID]bool{"mount.vault/onyxia-kv": true})
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Remove(ctx, plan); err != nil {
		t.Fatal(err)
	}
	keys := parseFile(t, d.keys)
	keys.RootToken = ""
	if withRoot {
		root, err := d.root().sessionFrom(ctx, "auth/token/create-orphan", map[string]any{"policies": []string{"root"}})
		if err != nil {
			t.Fatal(err)
		}
		keys.RootToken = root.Client.Token.Reveal()
	}
	text, err := keys.encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.keys.Replace(ctx, text); err != nil {
		t.Fatal(err)
	}
}

// The ways to a session leave nothing behind.
func TestSessions(t *testing.T) {
	d := startDatalab(t)
	d.configure(t)
	ctx := t.Context()
	byKeys := func(keys DecryptedKeys) func() (*Session, error) {
		return func() (*Session, error) {
			return d.client().SessionByKeys(ctx, d.client(), keys, d.setup.OperatorPolicyText(), nil)
		}
	}
	for name, open := range map[string]func() (*Session, error){
		"a token by hand": func() (*Session, error) { return d.client().Lend(d.opened.RootToken), nil },
		"the service account": func() (*Session, error) {
			return d.client().Login(ctx, "jwt", "onyxia-operator", d.issuer.token(t, "service-account-kubectl-onyxia", nil, map[string]any{"azp": "kubectl-onyxia"}))
		},
		"keys with a root token":        byKeys(d.opened),
		"keys with one that is revoked": byKeys(DecryptedKeys{Shares: d.opened.Shares, RootToken: NewSecret("hvs.none")}),
		"shares alone":                  byKeys(DecryptedKeys{Shares: d.opened.Shares}),
	} {
		session, err := open()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := session.Client.Read(ctx, "sys/mounts", nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := session.Close(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if lives, err := d.root().Lives(ctx); err != nil || !lives {
		t.Fatalf("a root token that was lent was revoked: %v", err)
	}
	accessors, err := d.root().List(ctx, "auth/token/accessors")
	if others := d.otherRoots(t); err != nil || len(accessors) != 1 || len(others) != 0 {
		t.Errorf("%d tokens, %d root tokens besides the first, %v", len(accessors), len(others), err)
	}
}

// otherRoots are the accessors of the root tokens that Vault keeps besides the first.
func (d *datalab) otherRoots(t *testing.T) (roots []string) {
	t.Helper()
	accessors, err := d.root().List(t.Context(), "auth/token/accessors")
	if err != nil {
		t.Fatal(err)
	}
	for _, accessor := range accessors {
		var token struct {
			Data struct {
				Policies []string `json:"policies"`
			} `json:"data"`
		}
		err := d.root().Write(t.Context(), "auth/token/lookup-accessor", map[string]string{"accessor": accessor}, &token)
		if err != nil && !errors.Is(err, ErrPermissionDenied) && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		if slices.Contains(token.Data.Policies, "root") {
			roots = append(roots, accessor)
		}
	}
	own := d.documents(t, "auth/token/lookup-self")["auth/token/lookup-self"]["accessor"]
	return slices.DeleteFunc(roots, func(accessor string) bool { return accessor == own })
}
