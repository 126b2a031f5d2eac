package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

const hidden = "hvs.hidden-hidden-hidden"

// However a secret, or what holds one, is printed or encoded, it does not show.
func TestNothingShows(t *testing.T) {
	secret := NewSecret(hidden)
	opened := DecryptedKeys{Shares: []Secret{secret}, RootToken: secret}
	keys := Keys{Keys: []string{hidden}, RootToken: hidden, PrivateKey: hidden}
	client := Client{Token: secret}
	session := Session{Client: &client}
	for _, v := range []any{secret, &secret, opened, &opened, keys, &keys, client, &client, session, ProofUser{JWT: secret}, []Secret{secret}, map[string]Secret{"a": secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, hidden) || strings.Contains(got, fmt.Sprintf("%x", hidden)) {
				t.Errorf("%T with %s: %s", v, verb, got)
			}
		}
	}
	for _, v := range []any{secret, opened, []Secret{secret}, map[string]Secret{"a": secret}} {
		asJSON, err := json.Marshal(v)
		asYAML, yamlErr := yaml.Marshal(v)
		if err != nil || yamlErr != nil || strings.Contains(string(asJSON)+string(asYAML), hidden) {
			t.Errorf("%T: %s %s %v", v, asJSON, asYAML, errors.Join(err, yamlErr))
		}
	}
	if secret.Reveal() != hidden {
		t.Error("Reveal does not give the value")
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		cause  error
		says   []string
	}{
		{503, `{"errors":["Vault is sealed"]}`, ErrSealed, []string{"GET a/b", "503", "kubectl onyxia vault unseal"}},
		{400, `{"errors":["Vault is not initialized"]}`, ErrNotInitialised, []string{"kubectl onyxia vault init"}},
		{400, `{"errors":["server is not yet initialized"]}`, ErrNotInitialised, nil},
		{403, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`, ErrPermissionDenied, []string{"1 error occurred: * permission denied", "key file"}},
		{404, `{"errors":[]}`, ErrNotFound, []string{"404"}},
		{502, `<html>Bad Gateway</html>`, nil, []string{"no JSON", "between us and Vault"}},
		{400, `{"errors":["` + hidden + ` is odd"]}`, nil, []string{redacted + " is odd"}},
		{307, ``, nil, []string{"not followed with a token"}},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Vault-Token") != hidden || r.Header.Get("X-Vault-Request") != "true" {
				t.Errorf("headers: %v", r.Header)
			}
			w.Header().Set("Location", "http://elsewhere.invalid/")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		err := (&Client{Address: s.URL + "/", Token: NewSecret(hidden)}).Read(t.Context(), "a/b", nil)
		s.Close()
		if err == nil || c.cause != nil && !errors.Is(err, c.cause) || strings.Contains(err.Error(), hidden) {
			t.Errorf("%d %s: %v", c.status, c.body, err)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%d %s: %v lacks %q", c.status, c.body, err, want)
			}
		}
	}
	err := (&Client{Address: "http://127.0.0.1:1"}).Read(t.Context(), "a", nil)
	if err == nil || !strings.Contains(err.Error(), "GET a: dial tcp") {
		t.Errorf("nobody there: %v", err)
	}
}

// The states of sys/health that one server without a licence cannot show (Vault API documentation, /sys/health).
func TestHealthStatuses(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   string
	}{
		{200, `{"initialized":true,"sealed":false,"standby":false,"version":"1.14.1"}`, "open"},
		{429, `{"initialized":true,"sealed":false,"standby":true,"version":"1.14.1"}`, "open, standby"},
		{472, `{"initialized":true,"sealed":false,"standby":true,"version":"1.14.1"}`, "open, standby"},
		{473, `{"initialized":true,"sealed":false,"standby":true,"version":"1.14.1"}`, "open, standby"},
		{501, `{"initialized":false,"sealed":true,"version":"1.14.1"}`, "not initialised; kubectl onyxia vault init gives it its keys"},
		{503, `{"initialized":true,"sealed":true,"version":"1.14.1"}`, "sealed; kubectl onyxia vault unseal opens it"},
		{503, `no available server`, ""},
		{404, `{"errors":["no handler"]}`, ""},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		state, err := (&Client{Address: s.URL}).Health(t.Context())
		s.Close()
		if (err != nil) != (c.want == "") || err == nil && state.String() != c.want {
			t.Errorf("%d %s: %q, %v", c.status, c.body, state, err)
		}
	}
}

// A name stays the name it is on its way into the address.
func TestLocation(t *testing.T) {
	c := Client{Address: "https://vault.lab.demo.test/"}
	for path, want := range map[string]string{
		"sys/health":                   "/v1/sys/health",
		"kv/metadata/user-a?list=true": "/v1/kv/metadata/user-a?list=true",
		"kv/data/user-a b":             "/v1/kv/data/user-a%20b",
		"kv/data/user-%2e%2e":          "/v1/kv/data/user-%252e%252e",
		"kv/data/user-a#b":             "/v1/kv/data/user-a%23b",
		"kv/data/user-é":               "/v1/kv/data/user-%C3%A9",
		"kv/data/user-+":               "/v1/kv/data/user-+",
	} {
		if got := c.location(path); got != "https://vault.lab.demo.test"+want {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestKeysDocument(t *testing.T) {
	whole := Keys{Version: 1, State: KeysComplete, Kind: KindUnseal, Form: FormPlain, Address: "https://v", Created: time.Unix(0, 0).UTC(), Shares: 2, Threshold: 2, Keys: []string{hidden, "b"}, RootToken: hidden}
	text, err := whole.encode()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseKeys(text); err != nil || again.Keys[0] != hidden || !strings.HasPrefix(string(text), "# ") {
		t.Fatalf("read back: %v, %v", again, err)
	}
	for name, change := range map[string]func(*Keys){
		"version":      func(k *Keys) { k.Version = 2 },
		"state":        func(k *Keys) { k.State = "odd" },
		"kind":         func(k *Keys) { k.Kind = "" },
		"form":         func(k *Keys) { k.Form = "x" },
		"a key short":  func(k *Keys) { k.Keys = k.Keys[:1] },
		"no private":   func(k *Keys) { k.Form = FormAge },
		"pending":      func(k *Keys) { k.State = KeysPending },
		"threshold":    func(k *Keys) { k.Threshold = 3 },
		"shares":       func(k *Keys) { k.Shares, k.Keys = 0, nil },
		"many shares":  func(k *Keys) { k.Shares, k.Keys = 256, make([]string, 256) },
		"threshold 1":  func(k *Keys) { k.Threshold = 1 },
		"no threshold": func(k *Keys) { k.Threshold = 0 },
	} {
		k := whole
		change(&k)
		text, err := k.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseKeys(text); err == nil || strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Cut off anywhere, the document is refused or has all of its keys.
	for n := range text {
		if k, err := ParseKeys(text[:n]); err == nil && (len(k.Keys) != 2 || k.State != KeysComplete) || err != nil && strings.Contains(err.Error(), hidden) {
			t.Errorf("cut off after %d bytes: %v, %v", n, k, err)
		}
	}
	if _, err := ParseKeys([]byte("keys: [" + hidden)); err == nil || strings.Contains(err.Error(), hidden) {
		t.Errorf("no YAML: %v", err)
	}
}

func TestKeyFile(t *testing.T) {
	folder := t.TempDir()
	f := KeyFile{Path: filepath.Join(folder, "keys.yaml")}
	ctx := t.Context()
	if _, err := f.Read(ctx); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	if err := f.Create(ctx, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := f.Create(ctx, []byte("two")); !errors.Is(err, os.ErrExist) {
		t.Fatalf("created over another: %v", err)
	}
	// Two at once: the link decides.
	if err := f.place([]byte("two"), os.Link); !errors.Is(err, os.ErrExist) {
		t.Fatalf("linked over another: %v", err)
	}
	if text, err := f.Read(ctx); err != nil || string(text) != "one" {
		t.Fatalf("%q, %v", text, err)
	}
	// What a killed run left beside it goes with the next; what another run is writing stays its own.
	old, now := filepath.Join(folder, ".keys.yaml.1.new"), filepath.Join(folder, ".keys.yaml.2.new")
	for _, beside := range []string{old, now} {
		if err := os.WriteFile(beside, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*leftOver)); err != nil {
		t.Fatal(err)
	}
	if err := f.Replace(ctx, []byte("three")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(now); err != nil || string(text) != "half" {
		t.Errorf("what another run is writing: %q, %v", text, err)
	}
	if err := os.Remove(now); err != nil {
		t.Fatal(err)
	}
	if text, err := f.Read(ctx); err != nil || string(text) != "three" {
		t.Fatalf("%q, %v", text, err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
	dangling := KeyFile{Path: filepath.Join(folder, "link.yaml")}
	if err := os.Symlink("/nowhere/keys.yaml", dangling.Path); err != nil {
		t.Fatal(err)
	}
	if err := dangling.Create(ctx, []byte("x")); !errors.Is(err, os.ErrExist) {
		t.Errorf("created through a link: %v", err)
	}
	if _, err := (KeyFile{Path: folder}).Read(ctx); err == nil {
		t.Error("a folder was read")
	}
}

func TestComparePolicy(t *testing.T) {
	wanted := rules{"kv/data/user-{{x.name}}/*": {"create", "read"}, "kv/metadata/*": {"list"}}
	for name, c := range map[string]struct {
		text   string
		action engine.Action
		fields string
	}{
		"as we write it":    {wanted.text(), engine.Unchanged, ""},
		"laid out by hand":  {"# by hand\npath \"kv/metadata/*\" { capabilities = [ \"list\", ] }\n\npath   \"kv/data/user-{{x.name}}/*\"\n{\n capabilities=[\"read\",\"create\"]\n}", engine.Unchanged, ""},
		"a path more":       {wanted.text() + `path "sys/*" { capabilities = ["read"] }`, engine.Configure, "path.sys/*:read>"},
		"a path less":       {`path "kv/metadata/*" { capabilities = ["list"] }`, engine.Configure, "path.kv/data/user-{{x.name}}/*:>create, read"},
		"a right more":      {strings.Replace(wanted.text(), `"list"`, `"list", "sudo"`, 1), engine.Configure, "path.kv/metadata/*:list, sudo>list"},
		"another accessor":  {strings.Replace(wanted.text(), "{{x.name}}", "{{y.name}}", 1), engine.Configure, "path.kv/data/user-{{x.name}}/*:>create, read path.kv/data/user-{{y.name}}/*:create, read>"},
		"beyond our form":   {wanted.text() + `path "a" { policy = "write" }`, engine.Configure, "policy:"},
		"a path twice":      {wanted.text() + `path "kv/metadata/*" { capabilities = ["sudo"] }`, engine.Configure, "policy:"},
		"parameters denied": {strings.Replace(wanted.text(), `["list"]`, "[\"list\"]\n  denied_parameters = { a = [] }", 1), engine.Configure, "policy:"},
		"nothing":           {"", engine.Configure, "path.kv/data/user-{{x.name}}/*:>create, read path.kv/metadata/*:>list"},
	} {
		change := comparePolicy(c.text, wanted)
		got := ""
		for _, f := range change.Fields {
			got += " " + f.Path + ":" + f.From + ">" + f.To
		}
		if change.Action != c.action || c.fields != "policy:" && strings.TrimSpace(got) != c.fields || c.fields == "policy:" && !strings.HasPrefix(got, " policy:sha256:") {
			t.Errorf("%s: %s%s", name, change.Action, got)
		}
	}
}

func TestUserPolicyGuards(t *testing.T) {
	good := userPolicy{KV: "onyxia-kv", UserPrefix: "user-", GroupPrefix: "projet-", Groups: 2}
	for name, c := range map[string]struct {
		change  func(*userPolicy)
		blocked bool
	}{
		"as it should be":         {func(*userPolicy) {}, false},
		"no user prefix":          {func(p *userPolicy) { p.UserPrefix = "" }, true},
		"no user prefix, checked": {func(p *userPolicy) { p.UserPrefix, p.NamesChecked = "", true }, false},
		"no group prefix":         {func(p *userPolicy) { p.GroupPrefix = "" }, true},
		"the same prefix":         {func(p *userPolicy) { p.GroupPrefix = "user-" }, true},
		"a plus in it":            {func(p *userPolicy) { p.UserPrefix = "+" }, true},
		"a folder":                {func(p *userPolicy) { p.UserPrefix = "users/" }, true},
		"a template":              {func(p *userPolicy) { p.GroupPrefix = "{{" }, true},
		"a quote":                 {func(p *userPolicy) { p.KV = `kv"` }, true},
	} {
		p := good
		c.change(&p)
		if change := p.Plan(policySeen{}); (change.Action == engine.Blocked) != c.blocked || c.blocked && (change.Fix == "" || change.Why == "") {
			t.Errorf("%s: %+v", name, change)
		}
	}
	text := good.rules("auth_jwt_1").text()
	if n := strings.Count(text, "path "); n != 6 {
		t.Errorf("%d paths:\n%s", n, text)
	}
	for _, line := range strings.Split(text, "\n") {
		if path, found := strings.CutPrefix(line, "path "); found && !strings.Contains(path, "{{identity.entity.aliases.auth_jwt_1.") {
			t.Errorf("a path without a name in it: %s", path)
		}
	}
}

func TestAuthConfigOfOthers(t *testing.T) {
	config := authConfig{Mount: "jwt", Issuer: "https://i", DefaultRole: "onyxia-user"}
	seen := configSeen{Values: map[string]any{"oidc_discovery_url": "https://i", "bound_issuer": "https://i", "default_role": "onyxia-user", "oidc_client_id": "theirs"}}
	if c := config.Plan(seen); c.Action != engine.Blocked || c.Fix == "" {
		t.Errorf("a mount for browsers: %+v", c)
	}
	config.OIDC = &OIDCClient{ID: "vault-ui", Secret: func(context.Context) (Secret, error) { return NewSecret(hidden), nil }}
	c := config.Plan(seen)
	if c.Action != engine.Configure || len(c.Fields) != 1 || strings.Contains(fmt.Sprint(c), hidden) {
		t.Errorf("our client: %+v", c)
	}
}

func TestAuditPlan(t *testing.T) {
	seen := func(kind, path, raw string) *auditSeen {
		return &auditSeen{Type: kind, Options: map[string]string{"file_path": path, "log_raw": raw}}
	}
	for name, c := range map[string]struct {
		declared bool
		seen     *auditSeen
		want     engine.Action
	}{
		"not there":            {false, nil, engine.Create},
		"there":                {false, seen("file", "stdout", ""), engine.Unchanged},
		"elsewhere":            {false, seen("file", "/tmp/x", ""), engine.Replace},
		"secrets in the clear": {false, seen("file", "stdout", "true"), engine.Replace},
		"another kind":         {false, seen("syslog", "", ""), engine.Replace},
		"declared, not there":  {true, nil, engine.Blocked},
		"declared, there":      {true, seen("file", "stdout", ""), engine.Unchanged},
		"declared, elsewhere":  {true, seen("file", "/tmp/x", ""), engine.Blocked},
	} {
		if got := (auditDevice{File: "stdout", Declared: c.declared}).Plan(c.seen); got.Action != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What a server says for a moment while somebody initialises it is waited out (Vault 1.14.1).
func TestSealStatusOfAServerBeingInitialised(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 3 {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"errors":["core: barrier reports initialized but no seal configuration found"]}`))
			return
		}
		_, _ = w.Write([]byte(`{"type":"shamir","initialized":true,"sealed":true}`))
	}))
	defer s.Close()
	seal, err := (&Client{Address: s.URL}).SealStatus(t.Context())
	if err != nil || !seal.Initialised || asked != 3 {
		t.Errorf("%+v after %d requests, %v", seal, asked, err)
	}
}
