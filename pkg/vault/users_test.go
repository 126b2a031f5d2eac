package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// login logs a user in; the error is Vault's.
func (d *datalab) login(t *testing.T, jwt Secret) (*Client, error) {
	t.Helper()
	session, err := d.client().Login(t.Context(), "jwt", "onyxia-user", jwt)
	if err != nil {
		if strings.Contains(err.Error(), jwt.Reveal()) {
			t.Fatal("the error shows the token")
		}
		return nil, err
	}
	return session.Client, nil
}

func (d *datalab) mustLogin(t *testing.T, name string, groups ...string) *Client {
	t.Helper()
	c, err := d.login(t, d.issuer.token(t, name, groups, nil))
	if err != nil {
		t.Fatalf("login of %q: %v", name, err)
	}
	return c
}

func write(ctx context.Context, c *Client, path, value string) error {
	return c.Write(ctx, path, map[string]any{"data": map[string]string{"x": value}}, nil)
}

func TestUsers(t *testing.T) {
	d := startDatalab(t)
	d.configure(t)
	t.Run("tokens refused", d.tokensRefused)
	t.Run("folders", d.folders)
	t.Run("groups", d.groups)
	t.Run("hostile names", d.hostileNames)
	t.Run("letter case", d.letterCase)
	t.Run("hostile groups", d.hostileGroups)
	t.Run("empty prefix", d.emptyPrefix)
	t.Run("empty prefix, named like a group", d.namedLikeGroup)
}

// Which tokens do not get in, each with Vault's own word for it.
func (d *datalab) tokensRefused(t *testing.T) {
	other := startIssuer(t)
	now := time.Now()
	for name, c := range map[string]struct {
		jwt  Secret
		want string
	}{
		"foreign audience":               {d.issuer.token(t, "alice", nil, map[string]any{"aud": []string{"onyxia-minio", "account"}}), "invalid audience (aud) claim"},
		"no audience":                    {d.issuer.token(t, "alice", nil, map[string]any{"aud": nil}), "invalid audience (aud) claim"},
		"expired":                        {d.issuer.token(t, "alice", nil, map[string]any{"iat": now.Add(-time.Hour).Unix(), "exp": now.Add(-2 * time.Minute).Unix()}), "token is expired"},
		"not yet valid":                  {d.issuer.token(t, "alice", nil, map[string]any{"nbf": now.Add(10 * time.Minute).Unix()}), "token not yet valid"},
		"another realm":                  {other.token(t, "alice", nil, nil), "failed to verify"},
		"another realm, our issuer":      {other.token(t, "alice", nil, map[string]any{"iss": d.issuer.url()}), "failed to verify"},
		"our keys, another issuer":       {d.issuer.token(t, "alice", nil, map[string]any{"iss": other.url()}), "invalid issuer (iss) claim"},
		"no user name":                   {d.issuer.token(t, "alice", nil, map[string]any{"preferred_username": nil}), `claim "preferred_username" not found`},
		"a user name that is no text":    {d.issuer.token(t, "alice", nil, map[string]any{"preferred_username": 7}), "could not be converted to string"},
		"an empty user name":             {d.issuer.token(t, "", nil, nil), ""},
		"no token at all":                {NewSecret("no.token.at-all"), "error validating token"},
		"a token whose signature is cut": {NewSecret(strings.TrimRight(d.issuer.token(t, "alice", nil, nil).Reveal(), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")), "error"},
	} {
		_, err := d.login(t, c.jwt)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		t.Logf("%s: %v", name, err)
	}
	// Vault forgives a minute of difference between clocks (clock_skew_leeway).
	if _, err := d.login(t, d.issuer.token(t, "alice", nil, map[string]any{"iat": now.Add(-time.Hour).Unix(), "exp": time.Now().Add(-30 * time.Second).Unix()})); err != nil {
		t.Errorf("expired 30 s ago: %v", err)
	}
}

// Own folder yes, another's no, the parent no.
func (d *datalab) folders(t *testing.T) {
	ctx := t.Context()
	alice, bob := d.mustLogin(t, "alice"), d.mustLogin(t, "bob")
	if err := write(ctx, alice, "onyxia-kv/data/user-alice/.onyxia/key", "1"); err != nil {
		t.Fatal(err)
	}
	if keys, err := alice.List(ctx, "onyxia-kv/metadata/user-alice"); err != nil || !slices.Equal(keys, []string{".onyxia/"}) {
		t.Errorf("own list, as the web asks for it: %v, %v", keys, err)
	}
	// What is not there is 404 and no refusal; the web relies on it at the first login.
	if err := alice.Read(ctx, "onyxia-kv/data/user-alice/none", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("own secret that is not there: %v", err)
	}
	for what, err := range map[string]error{
		"read":          bob.Read(ctx, "onyxia-kv/data/user-alice/.onyxia/key", nil),
		"list":          bob.Read(ctx, "onyxia-kv/metadata/user-alice?list=true", nil),
		"write":         write(ctx, bob, "onyxia-kv/data/user-alice/.onyxia/key", "2"),
		"delete":        bob.Delete(ctx, "onyxia-kv/metadata/user-alice/.onyxia/key"),
		"list parent":   bob.Read(ctx, "onyxia-kv/metadata/?list=true", nil),
		"list parent/":  bob.Read(ctx, "onyxia-kv/metadata?list=true", nil),
		"read prefix":   bob.Read(ctx, "onyxia-kv/data/user-bobby/x", nil),
		"a group":       bob.Read(ctx, "onyxia-kv/data/projet-g1/x", nil),
		"mounts":        bob.Read(ctx, "sys/mounts", nil),
		"the policy":    bob.Read(ctx, "sys/policies/acl/onyxia", nil),
		"other aliases": bob.Read(ctx, "identity/entity-alias/id?list=true", nil),
	} {
		if !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("bob, %s: %v", what, err)
		}
	}
	if err := alice.Delete(ctx, "onyxia-kv/metadata/user-alice/.onyxia/key"); err != nil {
		t.Error(err)
	}
}

// Group folders by membership; taken away with the next login, for tokens given before as well.
func (d *datalab) groups(t *testing.T) {
	ctx := t.Context()
	carol := d.mustLogin(t, "carol", "g1", "g2")
	for group, allowed := range map[string]bool{"g1": true, "g2": true, "g3": false} {
		err := write(ctx, carol, "onyxia-kv/data/projet-"+group+"/x", "1")
		if allowed != (err == nil) || !allowed && !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("member of g1 and g2 writes to %s: %v", group, err)
		}
	}
	later := d.mustLogin(t, "carol", "g2")
	for who, c := range map[string]*Client{"new token": later, "token from before": carol} {
		if err := c.Read(ctx, "onyxia-kv/data/projet-g1/x", nil); !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("%s, membership of g1 taken away: %v", who, err)
		}
		if err := c.Read(ctx, "onyxia-kv/data/projet-g2/x", nil); err != nil {
			t.Errorf("%s, still a member of g2: %v", who, err)
		}
	}
	none := d.mustLogin(t, "carol")
	if err := none.Read(ctx, "onyxia-kv/data/projet-g2/x", nil); !errors.Is(err, ErrPermissionDenied) {
		t.Errorf("no group left: %v", err)
	}
	many := []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9", "m10"}
	eleven := d.mustLogin(t, "eve", many...)
	for i, group := range many {
		err := write(ctx, eleven, "onyxia-kv/data/projet-"+group+"/x", "1")
		if (err == nil) != (i < 10) {
			t.Errorf("group %d of 11: %v", i, err)
		}
	}
}

// What a user with a name that means something in a path may reach.
func (d *datalab) hostileNames(t *testing.T) {
	ctx := t.Context()
	bob := d.mustLogin(t, "bob")
	for _, path := range []string{"x", "sub/x", "sub/deep/x"} {
		if err := write(ctx, bob, "onyxia-kv/data/user-bob/"+path, "of bob"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		// bobs are what of bob's it reaches.
		bobs []string
	}{
		{name: "+"}, {name: "*"}, {name: "b*"}, {name: "bo+"}, {name: "+/"}, {name: "*/"}, {name: "../user-bob"}, {name: "x/../user-bob"}, {name: "..%2fuser-bob"},
		{name: "{{identity.entity.id}}"}, {name: `bob"`}, {name: "bob/*"}, {name: "bob*"}, {name: "bob\x00"}, {name: "bob "}, {name: "bob/sub", bobs: []string{"sub/x", "sub/deep/x"}},
		{name: "bob/+", bobs: []string{"sub/x", "sub/deep/x"}}, {name: "bob/", bobs: nil}, {name: "+*"}, {name: "bob/+*"},
	} {
		client, err := d.login(t, d.issuer.token(t, c.name, nil, nil))
		if err != nil {
			t.Logf("%q: cannot log in: %v", c.name, err)
			continue
		}
		var reached []string
		for _, path := range []string{"x", "sub/x", "sub/deep/x"} {
			if client.Read(ctx, "onyxia-kv/data/user-bob/"+path, nil) == nil {
				reached = append(reached, path)
			}
		}
		own := write(ctx, client, "onyxia-kv/data/user-"+c.name+"/x", "own")
		t.Logf("%q: own folder: %v; bob's: %v", c.name, own, reached)
		if !slices.Equal(reached, c.bobs) {
			t.Errorf("%q reaches of bob's secrets %v, expected %v", c.name, reached, c.bobs)
		}
		if err := client.Read(ctx, "onyxia-kv/metadata/?list=true", nil); err == nil {
			t.Errorf("%q lists all folders", c.name)
		}
		if err := client.Read(ctx, "onyxia-kv/data/projet-g2/x", nil); err == nil {
			t.Errorf("%q reads a group's secret", c.name)
		}
	}
	d.foundNames(t)
}

// foundNames: those who came in by such a name are found, what is said stands to reason, and who is locked out is found no
// more. Without a prefix a wildcard stops everything.
func (d *datalab) foundNames(t *testing.T) {
	ctx := t.Context()
	told := map[string]string{}
	d.setup.Names = func(doubt string) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(doubt, "user "), " ")
		told[name] = rest
	}
	defer func() { d.setup.Names = nil }()
	if plan := d.plan(t); plan.Writes() || plan.Err() != nil {
		t.Errorf("%+v", plan.Steps)
	}
	for name, want := range map[string]string{`"bob/+"`: `reaches into the folder of user "bob" in Vault`, `"bob/sub"`: "vault write identity/entity/id/", `"+*"`: "can use nothing"} {
		if !strings.Contains(told[name], want) {
			t.Errorf("%s: %q", name, told[name])
		}
	}
	for _, name := range []string{`"bob"`, `"carol"`, `"+"`, `"b*"`} {
		if told[name] != "" {
			t.Errorf("%s: %q", name, told[name])
		}
	}
	accessor := engine.NewOutput[string]("auth.vault/jwt")
	if _, err := (authMount{Access: d.setup.Access, Path: "jwt", Accessor: accessor}).Observe(ctx); err != nil {
		t.Fatal(err)
	}
	names := userNames{Access: d.setup.Access, Accessor: accessor, GroupPrefix: "projet-", Tell: func(string) {}}
	seen, err := names.Observe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if change := names.Plan(seen); change.Action != engine.Blocked || !strings.Contains(change.Fix, "disabled=true") {
		t.Errorf("wildcards and no prefix: %+v", change)
	}
	// Done as it is said, for everybody.
	lock := func(disabled bool) {
		for _, h := range seen {
			d.write(t, "identity/entity/id/"+h.Entity, map[string]bool{"disabled": disabled})
		}
	}
	lock(true)
	defer lock(false)
	if left, err := names.Observe(ctx); err != nil || len(left) != 0 || names.Plan(left).Action != engine.Unchanged {
		t.Errorf("locked out, and still found: %v, %v", left, err)
	}
	if _, err := d.login(t, d.issuer.token(t, "bob/sub", nil, nil)); err == nil {
		t.Error("logs in, locked out")
	}
}

// Vault compares names without regard to case, so users whose names differ in case only are one to it: the issuer must not
// have such users. Keycloak has none; it keeps names in lower case.
func (d *datalab) letterCase(t *testing.T) {
	ctx := t.Context()
	kim := d.mustLogin(t, "kim")
	if err := write(ctx, kim, "onyxia-kv/data/user-kim/x", "of kim"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"KIM", "Kim", "\u212Aim"} { // the last begins with the Kelvin sign, whose lower case is k
		c := d.mustLogin(t, name)
		if err := c.Read(ctx, "onyxia-kv/data/user-kim/x", nil); err != nil {
			t.Errorf("%q is not kim to Vault any more: %v; then userPolicy's documentation is wrong", name, err)
		}
		if err := write(ctx, c, "onyxia-kv/data/user-"+name+"/x", ""); !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("%q has a folder of that name: %v", name, err)
		}
	}
}

// A group's name reaches no further than its own folder; one of them locks its members out.
func (d *datalab) hostileGroups(t *testing.T) {
	ctx := t.Context()
	g2 := d.mustLogin(t, "carol", "g2")
	for _, path := range []string{"x", "sub/x"} {
		if err := write(ctx, g2, "onyxia-kv/data/projet-g2/"+path, "of g2"); err != nil {
			t.Fatal(err)
		}
	}
	// Below a folder of another group, and why memberships are looked at.
	below := map[string]bool{"g2/sub": true, "g2/+": true}
	for group, locked := range map[string]bool{"+": false, "*": false, "../user-bob": false, "g2/sub": false, "g2/+": false, "/g2": false, "": false, "+*": true} {
		c := d.mustLogin(t, "mallory", group)
		if err := write(ctx, c, "onyxia-kv/data/user-mallory/x", ""); (err != nil) != locked {
			t.Errorf("a member of the group %q, own folder: %v", group, err)
		}
		if c.Read(ctx, "onyxia-kv/data/projet-g2/x", nil) == nil || c.Read(ctx, "onyxia-kv/data/user-bob/x", nil) == nil {
			t.Errorf("a member of the group %q reaches what is not theirs", group)
		}
		if reached := c.Read(ctx, "onyxia-kv/data/projet-g2/sub/x", nil) == nil; reached != below[group] {
			t.Errorf("a member of the group %q reaches below g2: %v", group, reached)
		}
		d.foundGroup(t, group, below[group] || locked || group == "../user-bob")
	}
}

// foundGroup: whoever reaches into another group's folder, or is locked out, by the name of a group is told of.
func (d *datalab) foundGroup(t *testing.T, group string, found bool) {
	t.Helper()
	told := ""
	d.setup.Names = func(doubt string) { told += doubt + "\n" }
	defer func() { d.setup.Names = nil }()
	if plan := d.plan(t); plan.Writes() || plan.Err() != nil {
		t.Errorf("%+v", plan.Steps)
	}
	if got := strings.Contains(told, fmt.Sprintf("user \"mallory\" as a member of group %q", group)); got != found {
		t.Errorf("group %q: %s", group, told)
	}
}

// Without a prefix, a user named like a group's folder owns it; that user is found, nothing goes on, and is done as it is said.
func (d *datalab) namedLikeGroup(t *testing.T) {
	ctx := t.Context()
	with := d.setup.UserPrefix
	d.setup.UserPrefix, d.setup.NamesChecked = "", true
	defer func() {
		d.setup.UserPrefix, d.setup.NamesChecked, d.setup.Names = with, false, nil
		d.configure(t)
	}()
	d.configure(t)
	member := d.mustLogin(t, "carol", "team")
	if err := write(ctx, member, "onyxia-kv/data/projet-team/x", "of the team"); err != nil {
		t.Fatal(err)
	}
	thief := d.mustLogin(t, "projet-team")
	if err := thief.Read(ctx, "onyxia-kv/data/projet-team/x", nil); err != nil {
		t.Errorf("projet-team reads no longer what is the team's: %v; then the guard may go", err)
	}
	told := ""
	d.setup.Names = func(doubt string) { told += doubt + "\n" }
	// + logged in before, and is locked out so that the other one is what stops.
	c := changeOf(d.plan(t), "names.vault/jwt")
	for ; c.Action == engine.Blocked && !strings.Contains(c.Why, "projet-team"); c = changeOf(d.plan(t), "names.vault/jwt") {
		d.lockOut(t, c.Fix)
	}
	if c.Action != engine.Blocked || !strings.Contains(c.Why, `owns the folder of group "team"`) || !strings.Contains(told, `user "projet-team" owns the folder of group "team"`) {
		t.Fatalf("%+v\n%s", c, told)
	}
	d.lockOut(t, c.Fix)
	for c = changeOf(d.plan(t), "names.vault/jwt"); c.Action == engine.Blocked; c = changeOf(d.plan(t), "names.vault/jwt") {
		d.lockOut(t, c.Fix)
	}
	if err := thief.Read(ctx, "onyxia-kv/data/projet-team/x", nil); err == nil {
		t.Error("locked out, and still reads")
	}
	if err := member.Read(ctx, "onyxia-kv/data/projet-team/x", nil); err != nil {
		t.Errorf("a member: %v", err)
	}
}

// lockOut does what is said: vault write identity/entity/id/ID disabled=true.
func (d *datalab) lockOut(t *testing.T, fix string) {
	t.Helper()
	words := strings.Fields(fix)
	if len(words) != 4 || words[3] != "disabled=true" {
		t.Fatalf("not a command: %s", fix)
	}
	d.write(t, words[2], map[string]bool{"disabled": true})
}

// Why a prefix must not be empty unless names are checked: "+" is then everybody.
func (d *datalab) emptyPrefix(t *testing.T) {
	ctx := t.Context()
	with := d.setup.UserPrefix
	d.setup.UserPrefix = ""
	defer func() {
		d.setup.UserPrefix, d.setup.NamesChecked = with, false
		d.configure(t)
	}()
	for _, line := range d.plan(t).Steps {
		if blocked := line.Change.Action == engine.Blocked; blocked != (line.ID == "policy.vault/onyxia") {
			t.Errorf("%s: %+v", line.ID, line.Change)
		}
	}
	d.setup.NamesChecked = true
	d.configure(t)
	bob, plus := d.mustLogin(t, "bob"), d.mustLogin(t, "+")
	if err := write(ctx, bob, "onyxia-kv/data/bob/x", "of bob"); err != nil {
		t.Fatal(err)
	}
	if err := plus.Read(ctx, "onyxia-kv/data/bob/x", nil); err != nil {
		t.Errorf("without a prefix, + reads no longer what is bob's: %v; then the guard may go", err)
	}
}

// A groups claim that is an address, as some issuers want it: its slashes and tildes are part of the name.
func TestGroupsClaimWithSlashes(t *testing.T) {
	d := startDatalab(t)
	d.setup.GroupsClaim = "https://login.example.org/~lab/groups"
	d.configure(t)
	if done := d.configure(t); len(done) != 0 {
		t.Errorf("again: %v", done)
	}
	member, err := d.login(t, d.issuer.token(t, "carol", nil, map[string]any{d.setup.GroupsClaim: []string{"g1"}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t.Context(), member, "onyxia-kv/data/projet-g1/x", "1"); err != nil {
		t.Errorf("a member: %v", err)
	}
	if err := write(t.Context(), member, "onyxia-kv/data/projet-g2/x", "1"); !errors.Is(err, ErrPermissionDenied) {
		t.Errorf("no member: %v", err)
	}
}
