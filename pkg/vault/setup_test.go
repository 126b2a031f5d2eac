package vault

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

const onyxiaOrigin = "https://onyxia.demo.test"

// datalab is an open Vault, an issuer, and the setup that joins them.
type datalab struct {
	*running
	issuer *issuer
	setup  Setup
	audit  string
}

func startDatalab(t *testing.T) *datalab {
	t.Helper()
	d := &datalab{running: openVault(t), issuer: startIssuer(t), audit: filepath.Join(t.TempDir(), "audit.log")}
	d.setup = setupOf(childSetup{Issuer: d.issuer.url(), CAPEM: d.issuer.caPEM(), Audit: d.audit})
	d.setup.Access = func(context.Context) (*Client, error) { return d.root(), nil }
	return d
}

func setupOf(c childSetup) Setup {
	return Setup{
		AuthPath: "jwt", KV: "onyxia-kv", PolicyName: "onyxia", RoleName: "onyxia-user",
		Issuer: c.Issuer, CAPEM: c.CAPEM, Audience: "vault", UserClaim: "preferred_username", GroupsClaim: "groups",
		UserPrefix: "user-", GroupPrefix: "projet-", Groups: 10, TTL: 24 * time.Hour, MaxTTL: 7 * 24 * time.Hour, Origin: onyxiaOrigin, AuditFile: c.Audit,
		Operator: &OperatorLogin{Role: "onyxia-operator", UserClaim: "azp", Claims: map[string]string{"azp": "kubectl-onyxia"}},
	}
}

func (d *datalab) plan(t *testing.T) engine.Plan {
	t.Helper()
	plan, err := engine.Run{Steps: d.setup.Steps()}.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// configure applies the steps and gives what was done, by step.
func (d *datalab) configure(t *testing.T) map[engine.ID]engine.Action {
	t.Helper()
	run := engine.Run{Steps: d.setup.Steps()}
	plan, err := run.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Apply(t.Context(), plan, engine.Options{Timeout: timeout, Consent: func(context.Context, engine.ID, engine.Change, engine.Change) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	done := map[engine.ID]engine.Action{}
	for _, line := range plan.Steps {
		if line.Change.Action != engine.Unchanged {
			done[line.ID] = line.Change.Action
		}
	}
	return done
}

// writes are the requests in Vault's own audit log that are no reads, since it had that many bytes.
func (d *datalab) writes(t *testing.T, since int) (lines []string, size int) {
	t.Helper()
	text, err := os.ReadFile(d.audit)
	if err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(bytes.NewReader(text[since:]))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var entry struct {
			Type    string `json:"type"`
			Request struct {
				Operation string `json:"operation"`
				Path      string `json:"path"`
			} `json:"request"`
		}
		if err := json.Unmarshal(scanner.Bytes(), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Type == "request" && !slices.Contains([]string{"read", "list"}, entry.Request.Operation) {
			lines = append(lines, entry.Request.Operation+" "+entry.Request.Path)
		}
	}
	return lines, len(text)
}

func TestSetup(t *testing.T) {
	d := startDatalab(t)
	plan := d.plan(t)
	for _, line := range plan.Steps {
		if line.Change.Action != engine.Create || line.Err != nil {
			t.Errorf("before: %s %s %v", line.ID, line.Change.Action, line.Err)
		}
	}
	if done := d.configure(t); len(done) != 9 {
		t.Fatalf("first: %v", done)
	}
	_, size := d.writes(t, 0)
	if done := d.configure(t); len(done) != 0 {
		t.Fatalf("second: %v", done)
	}
	lines, more := d.writes(t, size)
	if len(lines) != 0 || more == size {
		t.Fatalf("the second run wrote, by Vault's audit log: %v (%d bytes more)", lines, more-size)
	}
	t.Run("with an operator's session", d.operatorSession)
	t.Run("with a service account", d.serviceAccount)
	t.Run("mends what is ours", d.drift)
	t.Run("foreign CORS", d.foreignCORS)
	t.Run("removed", d.removed)
}

// The session's policy is enough for everything, and its own token is all that a run without changes writes.
func (d *datalab) operatorSession(t *testing.T) {
	session, err := d.client().OpenSession(t.Context(), d.opened.RootToken, OperatorPolicy, d.setup.OperatorPolicyText())
	if err != nil {
		t.Fatal(err)
	}
	root := d.setup.Access
	d.setup.Access = func(context.Context) (*Client, error) { return session.Client, nil }
	defer func() { d.setup.Access = root }()
	for _, step := range []func(*Client) error{
		func(c *Client) error { return c.Delete(t.Context(), "auth/jwt/role/onyxia-user") },
		func(c *Client) error { return c.Delete(t.Context(), "sys/policies/acl/onyxia") },
		func(c *Client) error { return c.Delete(t.Context(), "sys/config/cors") },
		func(c *Client) error { return c.Delete(t.Context(), "sys/auth/jwt") },
		func(c *Client) error { return c.Delete(t.Context(), "sys/mounts/onyxia-kv") },
		func(c *Client) error { return c.Delete(t.Context(), "sys/audit/stdout") },
	} {
		if err := step(d.root()); err != nil {
			t.Fatal(err)
		}
	}
	if done := d.configure(t); len(done) != 8 {
		t.Fatalf("made anew: %v", done)
	}
	if done := d.configure(t); len(done) != 0 {
		t.Fatalf("again: %v", done)
	}
	if err := session.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A later run takes its rights from a token of the realm: no root token, no key shares.
func (d *datalab) serviceAccount(t *testing.T) {
	jwt := d.issuer.token(t, "service-account-kubectl-onyxia", nil, map[string]any{"azp": "kubectl-onyxia"})
	session, err := d.client().Login(t.Context(), "jwt", "onyxia-operator", jwt)
	if err != nil {
		t.Fatal(err)
	}
	root := d.setup.Access
	d.setup.Access = func(context.Context) (*Client, error) { return session.Client, nil }
	defer func() { d.setup.Access = root }()
	if err := session.Client.Read(t.Context(), "onyxia-kv/data/user-alice/x", nil); err == nil {
		t.Error("the service account reads a user's secret")
	}
	_, size := d.writes(t, 0)
	if done := d.configure(t); len(done) != 0 {
		t.Fatalf("%v", done)
	}
	// Its token is a batch token: closing has nothing to revoke, and does not ask.
	if err := session.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lines, _ := d.writes(t, size); len(lines) != 0 {
		t.Fatalf("wrote %v", lines)
	}
	alice := d.issuer.token(t, "alice", nil, nil)
	if _, err := d.client().Login(t.Context(), "jwt", "onyxia-operator", alice); err == nil || strings.Contains(err.Error(), alice.Reveal()) {
		t.Fatalf("a user logs in as operator: %v", err)
	}
}

// What an admin changed of ours is shown field by field and mended; what is theirs stays.
func (d *datalab) drift(t *testing.T) {
	ctx, root := t.Context(), d.root()
	write := func(path string, in any) {
		t.Helper()
		if err := root.Write(ctx, path, in, nil); err != nil {
			t.Fatal(err)
		}
	}
	write("auth/jwt/role/onyxia-user", map[string]any{"role_type": "jwt", "user_claim": "email", "bound_audiences": []string{"account", "vault"}, "token_ttl": 60, "groups_claim": "groups",
		"token_bound_cidrs": []string{"127.0.0.0/8"}})
	write("auth/jwt/config", map[string]any{"oidc_discovery_url": d.issuer.url(), "oidc_discovery_ca_pem": d.issuer.caPEM(), "default_role": "other", "jwt_supported_algs": []string{"RS256"}})
	write("sys/policies/acl/onyxia", map[string]string{"policy": `path "onyxia-kv/data/*" { capabilities = ["read"] }`})
	write("sys/auth/jwt/tune", map[string]string{"listing_visibility": "hidden"})
	write("auth/jwt/role/theirs", map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{"x"}})

	fields := map[engine.ID]string{}
	for _, line := range d.plan(t).Steps {
		for _, f := range line.Change.Fields {
			fields[line.ID] += f.Path + ":" + f.From + "->" + f.To + ";"
		}
	}
	for id, want := range map[engine.ID]string{
		"role.vault/onyxia-user": "bound_audiences:account, vault->vault;groups_claim:groups->;token_ttl:1m0s->24h0m0s;user_claim:email->preferred_username;",
		"config.vault/jwt":       "bound_issuer:->" + d.issuer.url() + ";default_role:other->onyxia-user;",
		"auth.vault/jwt":         "config.listing_visibility:hidden->unauth;",
	} {
		if fields[id] != want {
			t.Errorf("%s: %q, want %q", id, fields[id], want)
		}
	}
	if !strings.HasPrefix(fields["policy.vault/onyxia"], "path.onyxia-kv/data/*:read->;path.onyxia-kv/data/projet-{{identity.entity.aliases.auth_jwt_") {
		t.Errorf("policy: %.120q", fields["policy.vault/onyxia"])
	}
	if done := d.configure(t); len(done) != 4 {
		t.Fatalf("mended: %v", done)
	}
	if done := d.configure(t); len(done) != 0 {
		t.Fatalf("again: %v", done)
	}
	var theirs struct {
		Data map[string]any `json:"data"`
	}
	if err := root.Read(ctx, "auth/jwt/role/theirs", nil); err != nil {
		t.Errorf("their role: %v", err)
	}
	if err := root.Read(ctx, "auth/jwt/role/onyxia-user", &theirs); err != nil || len(theirs.Data["token_bound_cidrs"].([]any)) != 1 {
		t.Errorf("their field in our role: %v, %v", theirs.Data["token_bound_cidrs"], err)
	}
	if err := root.Read(ctx, "auth/jwt/config", &theirs); err != nil || len(theirs.Data["jwt_supported_algs"].([]any)) != 1 {
		t.Errorf("their field in the configuration: %v, %v", theirs.Data["jwt_supported_algs"], err)
	}
}

func (d *datalab) foreignCORS(t *testing.T) {
	ctx, root := t.Context(), d.root()
	cors := corsAccess{Access: d.setup.Access, Origin: onyxiaOrigin}
	if err := root.Write(ctx, "sys/config/cors", map[string]any{"enabled": true, "allowed_origins": []string{"https://theirs.example.org"}, "allowed_headers": []string{"X-Theirs"}}, nil); err != nil {
		t.Fatal(err)
	}
	if done := d.configure(t); len(done) != 1 || done["cors.vault/onyxia"] != engine.Configure {
		t.Fatalf("%v", done)
	}
	seen, err := cors.Observe(ctx)
	if err != nil || joined(seen.Origins) != onyxiaOrigin+", https://theirs.example.org" {
		t.Fatalf("%+v, %v", seen, err)
	}
	theirs := 0
	for _, h := range seen.Headers {
		if h == "X-Theirs" {
			theirs++
		}
	}
	if theirs != 1 || len(seen.Headers) != len(standardHeaders())+1 {
		t.Errorf("headers: %v", seen.Headers)
	}
	for origin, allowed := range map[string]bool{onyxiaOrigin: true, "https://theirs.example.org": true, "https://elsewhere.invalid": false} {
		err := d.client().Preflight(ctx, "auth/jwt/login", "POST", origin)
		if (err == nil) != allowed {
			t.Errorf("preflight from %s: %v", origin, err)
		}
	}
	if err := cors.Remove(ctx); err != nil {
		t.Fatal(err)
	}
	if seen, err = cors.Observe(ctx); err != nil || joined(seen.Origins) != "https://theirs.example.org" {
		t.Fatalf("after removal: %+v, %v", seen, err)
	}
	if err := root.Write(ctx, "sys/config/cors", map[string]any{"enabled": true, "allowed_origins": []string{"*"}}, nil); err != nil {
		t.Fatal(err)
	}
	if seen, err = cors.Observe(ctx); err != nil || cors.Plan(seen).Action != engine.Unchanged {
		t.Fatalf("with every origin allowed: %+v, %v", cors.Plan(seen), err)
	}
	if err := root.Delete(ctx, "sys/config/cors"); err != nil {
		t.Fatal(err)
	}
	if err := d.client().Preflight(ctx, "auth/jwt/login", "POST", onyxiaOrigin); err == nil || !strings.Contains(err.Error(), "sys/config/cors") {
		t.Errorf("preflight with CORS off: %v", err)
	}
	d.configure(t)
}

// Everything but the secrets goes; a second removal finds nothing and is no error.
func (d *datalab) removed(t *testing.T) {
	run := engine.Run{Steps: d.setup.Steps()}
	for _, want := range []int{7, 0} {
		plan, err := run.PlanRemoval(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		deleted := 0
		for _, line := range plan.Steps {
			if line.Change.Action == engine.Delete {
				deleted++
			}
		}
		if deleted != want {
			t.Fatalf("%d steps to remove, want %d: %+v", deleted, want, plan.Steps)
		}
		if err := run.Remove(t.Context(), plan); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range d.plan(t).Steps {
		want := engine.Create
		if line.ID == "mount.vault/onyxia-kv" {
			want = engine.Unchanged
		}
		if line.Change.Action != want || line.ID == "mount.vault/onyxia-kv" && line.Data == "" {
			t.Errorf("after removal: %s %s", line.ID, line.Change.Action)
		}
	}
}

// What is there already and of another kind is not touched.
func TestBlocked(t *testing.T) {
	r := openVault(t)
	ctx := t.Context()
	access := func(context.Context) (*Client, error) { return r.root(), nil }
	for path, in := range map[string]map[string]any{
		"sys/auth/taken": {"type": "userpass"}, "sys/mounts/one": {"type": "kv"}, "sys/mounts/transit": {"type": "transit"},
	} {
		if err := r.root().Write(ctx, path, in, nil); err != nil {
			t.Fatal(err)
		}
	}
	blocked := map[string]engine.Change{}
	mount := authMount{Access: access, Path: "taken", Accessor: engine.NewOutput[string]("x"), Mark: "ours"}
	if seen, err := mount.Observe(ctx); err == nil {
		blocked["auth"] = mount.Plan(seen)
	}
	for _, path := range []string{"one", "transit"} {
		kv := kvMount{Access: access, Path: path, Mark: kvDescription}
		if seen, err := kv.Observe(ctx); err == nil {
			blocked[path] = kv.Plan(seen)
		}
	}
	for _, what := range []string{"auth", "one", "transit"} {
		if what == "auth" && mount.RefuseRemoval(ctx) == "" || what != "auth" && (kvMount{Access: access, Path: what, Mark: kvDescription}).RefuseRemoval(ctx) == "" {
			t.Errorf("%s: would be removed", what)
		}
		if c := blocked[what]; c.Action != engine.Blocked || c.Fix == "" {
			t.Errorf("%s: %+v", what, c)
		}
	}
	config := authConfig{Access: access, Mount: "jwt", Issuer: "https://127.0.0.1:1/realms/x"}
	if err := r.root().Write(ctx, "sys/auth/jwt", map[string]any{"type": "jwt"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := config.Apply(ctx, configSeen{}); err == nil || !strings.Contains(err.Error(), "trust.caBundle") {
		t.Errorf("an issuer that Vault cannot reach: %v", err)
	}
}

// After the whole way, no key and no token stands where it should not: what was said, Vault's log, its audit log, its
// volume, the arguments of what ran beside it.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	s := startVault(t, "")
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	var said strings.Builder
	say := func(line string) { said.WriteString(line + "\n") }
	in := initOf(s, file)
	spool := s.spool(t)
	run := spool.Exec
	spool.Exec = func(ctx context.Context, command []string, stdin []byte) ([]byte, error) {
		out, err := run(ctx, command, stdin)
		said.WriteString(strings.Join(command, " ") + string(stdin) + string(out))
		return out, err
	}
	in.Spool = spool
	if _, err := in.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := &datalab{running: &running{server: s, keys: file, opened: readKeys(t, file)}, issuer: startIssuer(t), audit: filepath.Join(t.TempDir(), "audit.log")}
	if err := s.client().Unseal(t.Context(), SharesOf(d.opened), say); err != nil {
		t.Fatal(err)
	}
	if err := s.client().waitActive(t.Context(), 50*time.Millisecond, say); err != nil {
		t.Fatal(err)
	}
	d.setup = setupOf(childSetup{Issuer: d.issuer.url(), CAPEM: d.issuer.caPEM(), Audit: d.audit})
	session, err := s.client().SessionByKeys(t.Context(), s.client(), d.opened, d.setup.OperatorPolicyText(), say)
	if err != nil {
		t.Fatal(err)
	}
	d.setup.Access = func(context.Context) (*Client, error) { return session.Client, nil }
	d.configure(t)
	for _, line := range d.plan(t).Steps {
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		said.Write(text)
	}
	proof := d.proofOf(t)
	if err := proof.Run(t.Context(), say); err != nil {
		t.Fatal(err)
	}
	if err := s.client().Retire(t.Context(), file, d.opened); err != nil {
		t.Fatal(err)
	}
	again, err := s.client().GenerateRoot(t.Context(), SharesOf(readKeys(t, file)), say)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{"what was said": said.String(), "Vault's log": s.Log()}
	for _, folder := range []string{s.Folder, filepath.Dir(d.audit)} {
		err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				var text []byte
				text, err = os.ReadFile(path)
				places[path] = string(text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(places) < 4 {
		t.Fatalf("only %d places looked at", len(places))
	}
	secrets := append([]Secret{d.opened.RootToken, again, session.Client.Token, proof.User.JWT, proof.Neighbour.JWT}, d.opened.Shares...)
	for place, text := range places {
		for i, secret := range secrets {
			if strings.Contains(text, secret.Reveal()) {
				t.Errorf("secret %d stands in %s", i, place)
			}
		}
	}
}

// People log in on the pages of Vault's UI: the method is listed to everybody, and its role sends them to the issuer. The
// way back through a browser is not tried here.
func TestUILogin(t *testing.T) {
	d := startDatalab(t)
	secret := func(context.Context) (Secret, error) { return NewSecret("not-a-secret-of-anyone"), nil }
	d.setup.UI = &UILogin{Client: OIDCClient{ID: "vault-ui", Secret: secret}, URL: "https://vault.lab.demo.test", AuthPath: "oidc", PolicyName: "onyxia-ui", RoleName: "onyxia-ui"}
	d.configure(t)
	if done := d.configure(t); len(done) != 0 {
		t.Fatalf("again: %v", done)
	}
	var listed struct {
		Data struct {
			Auth map[string]any `json:"auth"`
		} `json:"data"`
	}
	if err := d.client().Read(t.Context(), "sys/internal/ui/mounts", &listed); err != nil || listed.Data.Auth["oidc/"] == nil || listed.Data.Auth["jwt/"] != nil {
		t.Errorf("listed to everybody: %v, %v", listed, err)
	}
	for redirect, taken := range map[string]bool{"https://vault.lab.demo.test/ui/vault/auth/oidc/oidc/callback": true, "https://elsewhere.invalid/": false} {
		var answer struct {
			Data struct {
				URL string `json:"auth_url"`
			} `json:"data"`
		}
		err := d.client().Write(t.Context(), "auth/oidc/oidc/auth_url", map[string]string{"role": "onyxia-ui", "redirect_uri": redirect}, &answer)
		sent := err == nil && strings.HasPrefix(answer.Data.URL, d.issuer.url()+"/auth?") && strings.Contains(answer.Data.URL, "client_id=vault-ui")
		if sent != taken {
			t.Errorf("%s: %q, %v", redirect, answer.Data.URL, err)
		}
	}
	// The users of Onyxia's web log in as before.
	d.mustLogin(t, "alice", "g1")
}

// What goes with the server's volume is not taken away piece by piece; the users' secrets can be, by name.
func TestLasting(t *testing.T) {
	d := &datalab{setup: setupOf(childSetup{Issuer: "https://i", Audit: "stdout"})}
	for lasting, want := range map[bool]int{false: 8, true: 1} {
		d.setup.Lasting = lasting
		d.setup.Access = func(context.Context) (*Client, error) { return nil, &engine.NotYetError{After: "seal.vault/vault-0"} }
		plan, err := engine.Run{Steps: d.setup.Steps()}.PlanRemoval(t.Context(), nil)
		if err != nil || len(plan.Steps) != want || lasting && plan.Steps[0].ID != "mount.vault/onyxia-kv" {
			t.Errorf("lasting %v: %+v, %v", lasting, plan.Steps, err)
		}
	}
}
