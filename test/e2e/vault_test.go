//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

const vaultURL = "https://vault.lab.demo.test"

// Vault: from a datalab without it to one where each user has a corner of their own. The stages before it are put up here;
// a secret written under "My secrets" in a real Onyxia is another test's, with ONYXIA=real.
func TestVault(t *testing.T) {
	b := bed(t)
	b.without("vault")
	b.stand("tls", "auth", "app")
	file := filepath.Join(t.TempDir(), "keys.yaml")
	said := b.vaultFromNothing(file)

	t.Run("the second run of each writes nothing", func(t *testing.T) { said = append(said, bed(t).vaultAgain(file)...) })
	t.Run("own path, group path, nobody else's", func(t *testing.T) { bed(t).vaultUsers() })
	t.Run("no key anywhere", func(t *testing.T) { bed(t).noKeys(file, said) })
	t.Run("sealed after a restart, and opened", func(t *testing.T) { said = append(said, bed(t).vaultRestarted(file)...) })
	t.Run("the volume survives", func(t *testing.T) { said = append(said, bed(t).vaultReinstalled(file)...) })
	t.Run("no key anywhere, after all that", func(t *testing.T) { bed(t).noKeys(file, said) })
}

// vaultFromNothing puts Vault up command by command, and gives all that was printed, with the root token before it is gone.
func (b testbed) vaultFromNothing(file string) (said []string) {
	t := b.t.(*testing.T)
	tell := func(r result) result {
		said = append(said, r.stdout, r.stderr)
		return r
	}
	// What others can see of the processes is looked at like what they print.
	watched := func(args ...string) result {
		r, arguments := b.watched(args...)
		said = append(said, arguments)
		return tell(r)
	}
	install := tell(b.onyxia("vault", "install"))
	if install.code != 1 || !strings.Contains(install.stderr, b.call("vault init --keys-file")) || install.took > 6*time.Minute {
		t.Fatalf("without keys: exit code %d after %s\n%s%s", install.code, install.took, install.stdout, install.stderr)
	}
	if served := b.configuration(); strings.Contains(served, "onyxia-kv") {
		t.Errorf("Onyxia was told of a Vault that does not serve yet: %s", served)
	}
	if status := tell(b.onyxia("vault", "status")); status.code != 3 || !strings.Contains(status.stdout, "vault init") {
		t.Errorf("status: exit code %d\n%s", status.code, status.stdout)
	}
	watched("vault", "init", "--keys-file", file).ok(t)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key file: %v, %v", info, err)
	}
	said = append(said, "root token: "+b.keys(file).RootToken)
	if again := tell(b.onyxia("vault", "init", "--keys-file", file+".other")); again.code != 1 || !strings.Contains(again.stderr, "was initialised before") {
		t.Errorf("initialised twice: exit code %d\n%s", again.code, again.stderr)
	}
	if sealed := tell(b.onyxia("vault", "configure")); sealed.code != 1 || !strings.Contains(sealed.stderr, "vault unseal") {
		t.Errorf("sealed: exit code %d\n%s", sealed.code, sealed.stderr)
	}
	watched("vault", "unseal", "--keys-file", file).ok(t)
	if early := tell(b.onyxia("vault", "configure")); early.code != 1 || !strings.Contains(early.stderr, "vault configure --keys-file") {
		t.Errorf("without rights: exit code %d\n%s", early.code, early.stderr)
	}
	configured := watched("vault", "configure", "--keys-file", file).ok(t)
	t.Logf("configure: %s\n%s", configured.took.Round(time.Millisecond), configured.stdout)
	for _, want := range []string{"the browser may ask from https://onyxia.demo.test", "and from no other origin", "logs in with a token of the realm",
		"neither reaches the other's folder", "is open to its members and to nobody else", "proof.vault/onyxia created", "token.vault/root configured", "release.helm/onyxia configured"} {
		if !strings.Contains(configured.stdout, want) {
			t.Errorf("configure does not say %q", want)
		}
	}
	if b.keys(file).RootToken != "" {
		t.Error("the root token is still in the key file")
	}
	if served := b.configuration(); !strings.Contains(served, `"kvEngine":"onyxia-kv"`) {
		t.Errorf("Onyxia was not told of Vault: %s", served)
	}
	return said
}

// vaultKeys is the key file.
type vaultKeys struct {
	Keys      []string `json:"keys"`
	RootToken string   `json:"rootToken"`
}

func (b testbed) keys(file string) (k vaultKeys) {
	b.t.Helper()
	raw, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(raw, &k)
	}
	if err != nil || len(k.Keys) == 0 {
		b.t.Fatalf("key file: %d keys, %v", len(k.Keys), err)
	}
	return k
}

// vaultAgain runs each command once more, and counts writes to the API server, to Keycloak and to Vault. It gives what was
// printed, and what others could see of the processes.
func (b testbed) vaultAgain(file string) (said []string) {
	t := b.t.(*testing.T)
	events, audited := b.adminEvents(), len(b.vaultAudit())
	runs := 0
	writes := b.writes(func() {
		for _, args := range [][]string{{"vault", "install"}, {"vault", "init", "--keys-file", file}, {"vault", "unseal", "--keys-file", file}, {"vault", "configure"}, {"up", "ingress", "tls", "auth", "vault", "app"}} {
			again, arguments := b.watched(args...)
			said = append(said, again.ok(t).stdout, again.stderr, arguments)
			runs++
			for _, line := range lines(again.stdout) {
				if strings.HasSuffix(line, " created") || strings.HasSuffix(line, " configured") {
					t.Errorf("%s: %s", strings.Join(args, " "), line)
				}
			}
		}
	})
	if len(writes) > 0 {
		t.Errorf("to the API server:\n%s", strings.Join(writes, "\n"))
	}
	if after := b.adminEvents(); after != events {
		t.Errorf("admin events of Keycloak: %d before, %d after", events, after)
	}
	// A run logs in, by a token that Vault keeps no record of; nothing else is written.
	after := b.vaultAudit()
	if audited == 0 || len(after) <= audited {
		t.Fatalf("%d writes in Vault's audit log before, %d after: it does not show our own login, so it shows nothing", audited, len(after))
	}
	for _, line := range after[audited:] {
		if line != "update auth/jwt/login" {
			t.Errorf("to Vault: %s", line)
		}
	}
	b.onyxia("diff", "vault").ok(t)
	b.onyxia("vault", "status").ok(t)
	if proof := b.onyxia("vault", "proof").ok(t); !strings.Contains(proof.stdout, "neither reaches the other's folder") {
		t.Errorf("proof: %s", proof.stdout)
	} else {
		said = append(said, proof.stdout, proof.stderr)
	}
	return said
}

// vaultAudit are the writing requests in Vault's audit log, which it writes to the pod's log.
func (b testbed) vaultAudit() (writes []string) {
	b.t.Helper()
	for _, line := range lines(b.in("kubectl", "-n", "vault", "logs", "vault-0")) {
		var entry struct {
			Type    string `json:"type"`
			Request struct {
				Operation string `json:"operation"`
				Path      string `json:"path"`
			} `json:"request"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Type == "request" && !slices.Contains([]string{"read", "list", "help"}, entry.Request.Operation) {
			writes = append(writes, entry.Request.Operation+" "+entry.Request.Path)
		}
	}
	return writes
}

// vaultAs is a request to Vault at its public address; it gives the status and the body.
func (b testbed) vaultAs(token, method, path, body string) (status, answer string) {
	b.t.Helper()
	args := []string{"-X", method, "-w", "\n%{http_code}", "-H", "X-Vault-Token: " + token}
	if body != "" {
		args = append(args, "-d", body)
	}
	out := b.curl(vaultURL+"/v1/"+path, args...)
	at := strings.LastIndex(out, "\n")
	return out[at+1:], out[:at]
}

// vaultLogin gives a token of Vault for a token of the realm, and the answer if it is refused.
func (b testbed) vaultLogin(jwt string) (token, answer string) {
	b.t.Helper()
	status, answer := b.vaultAs("", "POST", "auth/jwt/login", fmt.Sprintf(`{"role": "onyxia-user", "jwt": %q}`, jwt))
	var got struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil || (status == "200") != (got.Auth.Token != "") {
		b.t.Fatalf("login: %s %v", status, err)
	}
	return got.Auth.Token, status + " " + answer
}

// vaultUsers: two users and a group; and tokens that must not buy anything.
func (b testbed) vaultUsers() {
	t := b.t.(*testing.T)
	const password = "correct horse 1"
	mapper := func(kind, name, config string) string {
		return fmt.Sprintf(`{"name": %q, "protocol": "openid-connect", "protocolMapper": %q, "config": %s}`, name, kind, config)
	}
	toVault := mapper("oidc-audience-mapper", "aud", `{"included.client.audience": "vault", "access.token.claim": "true"}`)
	groups := mapper("oidc-group-membership-mapper", "groups", `{"claim.name": "groups", "full.path": "false", "access.token.claim": "true"}`)
	for client, more := range map[string]string{
		"e2e":         `"protocolMappers": [` + toVault + "," + groups + `]`,
		"e2e-foreign": `"protocolMappers": [` + groups + `]`,
		"e2e-short":   `"attributes": {"access.token.lifespan": "1"}, "protocolMappers": [` + toVault + `]`,
	} {
		b.kcadm("POST", "/clients", fmt.Sprintf(`{"clientId": %q, "publicClient": true, "directAccessGrantsEnabled": true, %s}`, client, more))
	}
	b.kcadm("POST", "/groups", `{"name": "e2e-team"}`)
	for user, groups := range map[string]string{"e2e-alice": `["e2e-team"]`, "e2e-bob": `[]`} {
		b.kcadm("POST", "/users", fmt.Sprintf(`{"username": %q, "enabled": true, "emailVerified": true, "email": "%s@demo.test", "firstName": "E", "lastName": "E",
			"credentials": [{"type": "password", "value": %q, "temporary": false}], "groups": %s}`, user, user, password, groups))
	}
	alice, answer := b.vaultLogin(b.tokenOf("datalab", "e2e", "e2e-alice", password))
	if alice == "" {
		t.Fatal(answer)
	}
	bob, answer := b.vaultLogin(b.tokenOf("datalab", "e2e", "e2e-bob", password))
	if bob == "" {
		t.Fatal(answer)
	}
	const secret = `{"data": {"a": "written by e2e"}}`
	for _, c := range []struct{ token, method, path, body, want string }{
		{alice, "POST", "onyxia-kv/data/user-e2e-alice/x", secret, "200"},
		{alice, "GET", "onyxia-kv/data/user-e2e-alice/x", "", "200"},
		{alice, "GET", "onyxia-kv/metadata/user-e2e-alice?list=true", "", "200"},
		{bob, "GET", "onyxia-kv/data/user-e2e-alice/x", "", "403"},
		{bob, "POST", "onyxia-kv/data/user-e2e-alice/x", secret, "403"},
		{alice, "GET", "onyxia-kv/metadata/?list=true", "", "403"},
		{alice, "POST", "onyxia-kv/data/projet-e2e-team/x", secret, "200"},
		{bob, "GET", "onyxia-kv/data/projet-e2e-team/x", "", "403"},
		{alice, "GET", "onyxia-kv/data/projet-elsewhere/x", "", "403"},
		{alice, "GET", "sys/mounts", "", "403"},
	} {
		if got, _ := b.vaultAs(c.token, c.method, c.path, c.body); got != c.want {
			t.Errorf("%s %s by alice %v: %s, want %s", c.method, c.path, c.token == alice, got, c.want)
		}
	}
	b.leave("e2e-alice", "e2e-team")
	if out, answer := b.vaultLogin(b.tokenOf("datalab", "e2e", "e2e-alice", password)); out == "" {
		t.Error(answer)
	} else if got, _ := b.vaultAs(out, "GET", "onyxia-kv/data/projet-e2e-team/x", ""); got != "403" {
		t.Errorf("after leaving the group: %s", got)
	}
	// Right in all but the realm: the audience and the user's name are as they should be.
	b.kcadmIn("master", "POST", "/clients", `{"clientId": "e2e-other", "publicClient": true, "directAccessGrantsEnabled": true, "protocolMappers": [`+
		mapper("oidc-audience-mapper", "aud", `{"included.custom.audience": "vault", "access.token.claim": "true"}`)+`]}`)
	defer b.removeOther()
	short := b.tokenOf("datalab", "e2e-short", "e2e-alice", password)
	for name, c := range map[string]struct{ jwt, says string }{
		"a foreign audience": {b.tokenOf("datalab", "e2e-foreign", "e2e-alice", password), "audience"},
		"another realm":      {b.tokenOf("master", "e2e-other", "onyxia-bootstrap", b.secret("keycloak", "keycloak-bootstrap", "password")), "failed to verify"},
	} {
		if token, answer := b.vaultLogin(c.jwt); token != "" || !strings.Contains(answer, c.says) {
			t.Errorf("%s: %s", name, answer)
		}
	}
	// Vault lets clocks differ by a minute (clock_skew_leeway), so a token is taken for as long after its end.
	answer = ""
	for deadline := time.Now().Add(3 * time.Minute); !strings.Contains(answer, "expired") && time.Now().Before(deadline); time.Sleep(time.Second) {
		_, answer = b.vaultLogin(short)
	}
	if !strings.Contains(answer, "expired") {
		t.Errorf("an expired token: %s", answer)
	}
}

// removeOther takes the client in the realm of Keycloak's administrators away.
func (b testbed) removeOther() {
	b.t.Helper()
	var found []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(b.kcadmIn("master", "GET", "/clients?clientId=e2e-other", "")), &found); err != nil || len(found) != 1 {
		b.t.Fatalf("%+v, %v", found, err)
	}
	b.kcadmIn("master", "DELETE", "/clients/"+found[0].ID, "")
}

// noKeys looks for every key share and the root token, as they are and in base64, for the secrets of the realm's clients, and for anything that looks like a token
// of Vault, in whatever was printed, whatever others saw of the processes, and whatever others may read.
func (b testbed) noKeys(file string, said []string) {
	t := b.t.(*testing.T)
	secrets := map[string]string{}
	for i, key := range b.keys(file).Keys {
		name := fmt.Sprint("key ", i+1)
		secrets[name], secrets[name+", text in base64"] = key, base64.StdEncoding.EncodeToString([]byte(key))
		raw, err := hex.DecodeString(key)
		if err != nil {
			t.Fatalf("%s is not hexadecimal", name)
		}
		secrets[name+" in base64"] = base64.StdEncoding.EncodeToString(raw)
	}
	places := map[string]string{
		"ConfigMaps": b.in("kubectl", "get", "configmap", "-A", "-o", "yaml"),
		"workloads":  b.in("kubectl", "get", "pods,statefulsets,deployments", "-A", "-o", "yaml"),
		"Secrets":    b.in("bash", "-c", `kubectl get secret -A -o go-template='{{range .items}}{{range .data}}{{.}}{{"\n"}}{{end}}{{end}}' | while read -r v; do echo "$v" | base64 -d; echo; done`),
		"releases":   b.releases(),
		"events":     b.in("kubectl", "get", "events", "-A", "-o", "yaml"),
		"Vault log":  b.in("kubectl", "-n", "vault", "logs", "vault-0"),
		"API server": b.read("audit.log"),
		"other logs": b.in("bash", "-c", `kubectl get pods -A -o jsonpath='{range .items[*]}{.metadata.namespace} {.metadata.name}{"\n"}{end}' | while read -r n p; do kubectl -n "$n" logs "$p" --all-containers --tail=-1 || true; done`),
		"arguments":  b.in("ps", "axww", "-o", "args"),
		"status":     b.onyxia("vault", "status", "-o", "json").stdout,
		"app values": b.onyxia("app", "values").stdout,
		"volume":     b.in("bash", "-c", `kubectl -n vault exec vault-0 -- sh -c 'ls -a /vault/data'`),
	}
	for i, text := range said {
		if root, found := strings.CutPrefix(text, "root token: "); found {
			secrets["root token"] = root
			continue
		}
		places[fmt.Sprint("output ", i)] = text + " "
	}
	for _, client := range []string{"vault-ui", "onyxia-vault-operator"} {
		secrets["secret of client "+client] = b.clientSecret(client)
	}
	if len(secrets) != 18 {
		t.Errorf("%d secrets to look for", len(secrets))
	}
	// Service and batch tokens of Vault 1.10 and later.
	token := regexp.MustCompile(`\bhv[sb]\.[A-Za-z0-9_-]{20,}`)
	for place, text := range places {
		if text == "" {
			t.Errorf("%s: nothing was read, so nothing was looked at", place)
		}
		if token.MatchString(text) {
			t.Errorf("a token in %s", place)
		}
		for name, value := range secrets {
			if len(value) < 20 || strings.Contains(text, value) {
				t.Errorf("%s in %s (or too short to look for)", name, place)
			}
		}
	}
	if strings.Contains(places["volume"], ".onyxia-init") {
		t.Errorf("Vault's sealed answer is still on the volume: %s", places["volume"])
	}
}

// clientSecret is what Keycloak keeps for a client of the realm.
func (b testbed) clientSecret(client string) string {
	b.t.Helper()
	var found []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(b.kcadm("GET", "/clients?clientId="+client, "")), &found); err != nil || len(found) != 1 {
		b.t.Fatalf("client %s: %+v, %v", client, found, err)
	}
	var secret struct {
		Value string `json:"value"`
	}
	if err := json.Unmarshal([]byte(b.kcadm("GET", "/clients/"+found[0].ID+"/client-secret", "")), &secret); err != nil {
		b.t.Fatalf("secret of client %s: %v", client, err)
	}
	return secret.Value
}

// vaultRestarted: the pod is deleted, sealed is said, the keys open it, and what was written is there. It gives what was
// printed, and what others could see of the processes.
func (b testbed) vaultRestarted(file string) (said []string) {
	t := b.t.(*testing.T)
	b.in("kubectl", "-n", "vault", "delete", "pod", "vault-0")
	b.again("vault", "vault-0", "jsonpath={.status.phase}=Running")
	status := b.says(b.call("vault unseal"), "vault", "status")
	if status.code != 3 || !strings.Contains(status.stdout, b.call("vault unseal")) {
		t.Errorf("status: exit code %d\n%s", status.code, status.stdout)
	}
	up := b.onyxia("up", "ingress", "tls", "auth", "vault", "app")
	if up.code != 1 || !strings.Contains(up.stderr, b.call("vault unseal")) {
		t.Errorf("up: exit code %d\n%s", up.code, up.stderr)
	}
	unsealed, arguments := b.watched("vault", "unseal", "--keys-file", file)
	unsealed.ok(t)
	again := b.onyxia("up", "ingress", "tls", "auth", "vault", "app").ok(t)
	b.aliceReads()
	return []string{status.stdout, status.stderr, up.stdout, up.stderr, unsealed.stdout, unsealed.stderr, arguments, again.stdout, again.stderr}
}

// aliceReads what she wrote before.
func (b testbed) aliceReads() {
	b.t.Helper()
	token, answer := b.vaultLogin(b.tokenOf("datalab", "e2e", "e2e-alice", "correct horse 1"))
	if token == "" {
		b.t.Fatal(answer)
	}
	if status, body := b.vaultAs(token, "GET", "onyxia-kv/data/user-e2e-alice/x", ""); status != "200" || !strings.Contains(body, "written by e2e") {
		b.t.Errorf("%s %s", status, body)
	}
}

// vaultReinstalled: an uninstall keeps the volume, and a new install on it is opened by the old keys. It gives what was printed,
// and what others could see of the processes.
func (b testbed) vaultReinstalled(file string) (said []string) {
	t := b.t.(*testing.T)
	away := b.onyxia("vault", "uninstall", "--yes").ok(t)
	for _, want := range []string{"persistentvolumeclaim/data-vault-0 kept", "release.helm/vault deleted"} {
		if !strings.Contains(away.stdout, want) {
			t.Errorf("uninstall lacks %q:\n%s", want, away.stdout)
		}
	}
	if served := b.configuration(); strings.Contains(served, "onyxia-kv") {
		t.Errorf("Onyxia still calls a Vault that is gone: %s", served)
	}
	install, arguments := b.watched("vault", "install", "--keys-file", file)
	install.ok(t)
	b.aliceReads()
	return []string{away.stdout, away.stderr, install.stdout, install.stderr, arguments}
}
