//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

const issuer = "https://auth.lab.demo.test/auth/realms/datalab"

// Login: from a datalab without it to one where a person signs up, and to a second run that writes nothing anywhere.
func TestAuth(t *testing.T) {
	b := bed(t)
	b.bare()
	b.onyxia("up", "ingress", "tls", "app").ok(t)
	b.tool("demo", "dns")
	t.Run("pods that would not trust the login are told of before it is there", b2(t, (testbed).distrusted))
	install := b.onyxia("auth", "install").ok(t)
	t.Logf("auth install: %s\n%s", install.took.Round(time.Millisecond), install.stdout)
	for _, want := range []string{"release.helm/keycloak created", "realm.keycloak/datalab created", "client.keycloak/onyxia created", "release.helm/onyxia configured"} {
		if !strings.Contains(install.stdout, want) {
			t.Errorf("stdout lacks %q", want)
		}
	}

	for name, value := range b.generated() {
		if strings.Contains(install.stdout+install.stderr, value) {
			t.Errorf("the first install prints the secret %s", name)
		}
	}
	if left := b.in("kubectl", "-n", "onyxia", "get", "jobs", "-o", "name"); left != "" {
		t.Errorf("left of the pod that tried the way: %s", left)
	}
	t.Run("Onyxia is told of the login", func(t *testing.T) {
		b := bed(t)
		var served struct {
			OIDC struct {
				Issuer   string `json:"issuerURI"`
				ClientID string `json:"clientID"`
			} `json:"oidcConfiguration"`
		}
		if err := json.Unmarshal([]byte(b.configuration()), &served); err != nil {
			t.Fatal(err)
		}
		if served.OIDC.Issuer != issuer || served.OIDC.ClientID != "onyxia" {
			t.Errorf("served %+v", served.OIDC)
		}
	})
	t.Run("the second run writes nothing", func(t *testing.T) {
		b := bed(t)
		events := b.adminEvents()
		writes := b.writes(func() {
			b.onyxia("auth", "install").ok(t)
			b.onyxia("auth", "configure").ok(t)
		})
		if len(writes) > 0 {
			t.Errorf("writes:\n%s", strings.Join(writes, "\n"))
		}
		if after := b.adminEvents(); after != events {
			t.Errorf("admin events of Keycloak: %d before, %d after", events, after)
		}
	})
	t.Run("what is ours is mended, what is not stays", b2(t, (testbed).handMade))
	t.Run("no secret anywhere", b2(t, (testbed).noSecrets))
	t.Run("stopped half way", b2(t, (testbed).stoppedHalfWay))
	t.Run("the volume survives", b2(t, (testbed).reinstalled))
	t.Run("a Keycloak that is there, another issuer", b2(t, (testbed).elsewhere))
}

func b2(_ *testing.T, check func(testbed)) func(*testing.T) {
	return func(t *testing.T) { check(bed(t)) }
}

// kcadm is a request to the admin API with the bootstrap administrator, as somebody at the console would make it: they
// too would come again while it answers 500, or the ingress 503, because it lost its database a moment ago.
func (b testbed) kcadm(method, path, body string) string {
	b.t.Helper()
	return b.kcadmIn("datalab", method, path, body)
}

// kcadmIn is the same in another realm.
func (b testbed) kcadmIn(realm, method, path, body string) string {
	b.t.Helper()
	password := b.secret("keycloak", "keycloak-bootstrap", "password")
	var token struct {
		Access string `json:"access_token"`
	}
	patient := []string{"curl", "-sSf", "--retry", "60", "--retry-delay", "1", "--cacert", b.run("acme-root.pem")}
	grant := b.in(append(patient, "-d", "grant_type=password", "-d", "client_id=admin-cli",
		"-d", "username=onyxia-bootstrap", "--data-urlencode", "password="+password,
		"https://auth.lab.demo.test/auth/realms/master/protocol/openid-connect/token")...)
	if err := json.Unmarshal([]byte(grant), &token); err != nil || token.Access == "" {
		b.t.Fatalf("no token of the administrator: %v", err)
	}
	args := append(patient, "-X", method, "-H", "Authorization: Bearer "+token.Access)
	if body != "" {
		args = append(args, "-H", "Content-Type: application/json", "-d", body)
	}
	return b.in(append(args, "https://auth.lab.demo.test/auth/admin/realms/"+realm+path)...)
}

func (b testbed) secret(namespace, name, key string) string {
	b.t.Helper()
	raw, err := base64.StdEncoding.DecodeString(b.in("kubectl", "-n", namespace, "get", "secret", name, "-o", "jsonpath={.data."+key+"}"))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(raw)
}

// adminEvents turns Keycloak's record of administrators' writes on and counts it.
func (b testbed) adminEvents() int {
	b.t.Helper()
	b.kcadm("PUT", "/events/config", `{"adminEventsEnabled": true, "adminEventsDetailsEnabled": false}`)
	var events []struct {
		AuthDetails struct {
			ClientID string `json:"clientId"`
		} `json:"authDetails"`
		Resource string `json:"resourcePath"`
	}
	if err := json.Unmarshal([]byte(b.kcadm("GET", "/admin-events?max=1000", "")), &events); err != nil {
		b.t.Fatal(err)
	}
	count := 0
	for _, e := range events {
		if e.Resource != "events/config" {
			count++
		}
	}
	return count
}

// handMade: a client, a role, a locale and a mapper of somebody else's, and a lifespan of ours changed.
func (b testbed) handMade() {
	t := b.t.(*testing.T)
	b.kcadm("POST", "/clients", `{"clientId": "theirs", "publicClient": true}`)
	b.kcadm("POST", "/roles", `{"name": "theirs"}`)
	b.kcadm("PUT", "", `{"supportedLocales": ["en", "fr", "de"], "ssoSessionMaxLifespan": 3600}`)
	client := b.clientID("onyxia")
	b.kcadm("POST", "/clients/"+client+"/protocol-mappers/models",
		`{"name": "theirs", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper", "config": {"claim.name": "theirs", "claim.value": "1", "access.token.claim": "true"}}`)

	diff := b.onyxia("diff", "auth")
	var changes []string
	for _, line := range lines(diff.stdout) {
		if strings.HasPrefix(line, "    ") {
			changes = append(changes, strings.TrimSpace(line))
		}
	}
	if d := cmp.Diff([]string{"realm.ssoSessionMaxLifespan: 3600 -> 1209600"}, changes); d != "" || diff.code != 2 {
		t.Errorf("exit code %d %s\n%s", diff.code, d, diff.stdout)
	}
	b.onyxia("auth", "configure").ok(t)
	realm := b.kcadm("GET", "", "")
	for _, want := range []string{`"ssoSessionMaxLifespan":1209600`, `"de"`} {
		if !strings.Contains(realm, want) {
			t.Errorf("the realm lacks %s", want)
		}
	}
	b.kcadm("GET", "/roles/theirs", "")
	if mappers := b.kcadm("GET", "/clients/"+client+"/protocol-mappers/models", ""); !strings.Contains(mappers, `"name":"theirs"`) {
		t.Errorf("their mapper is gone: %s", mappers)
	}
	if theirs := b.kcadm("GET", "/clients?clientId=theirs", ""); !strings.Contains(theirs, `"clientId":"theirs"`) {
		t.Error("their client is gone")
	}
}

// generated are the secrets of the stage, by what they are for.
func (b testbed) generated() map[string]string {
	b.t.Helper()
	return map[string]string{
		"bootstrap": b.secret("keycloak", "keycloak-bootstrap", "password"),
		"database":  b.secret("keycloak", "keycloak-db", "password"),
		"account":   b.secret("keycloak", "keycloak-service-account", "clientSecret"),
	}
}

// noSecrets looks for every generated secret in whatever others may read.
func (b testbed) noSecrets() {
	t := b.t.(*testing.T)
	secrets := b.generated()
	secrets["TSIG"] = b.read("tsig.secret")
	b.kcadm("PUT", "", `{"ssoSessionMaxLifespan": 3600}`)
	configured, arguments := b.watched("auth", "configure", "--debug")
	places := map[string]string{
		"arguments":     arguments,
		"output":        configured.ok(t).stdout + configured.stderr,
		"ConfigMaps":    b.in("kubectl", "get", "configmap", "-A", "-o", "yaml"),
		"pods":          b.in("kubectl", "get", "pods,statefulsets,deployments", "-A", "-o", "yaml"),
		"releases":      b.releases(),
		"events":        b.in("kubectl", "get", "events", "-A", "-o", "yaml"),
		"Keycloak log":  b.in("kubectl", "-n", "keycloak", "logs", "keycloak-0"),
		"status output": b.onyxia("status", "-o", "json").stdout,
		"diff output":   b.onyxia("diff", "auth", "-o", "json").stdout,
		"app values":    b.onyxia("app", "values").stdout,
	}
	for place, text := range places {
		if text == "" {
			t.Errorf("%s: nothing was read, so nothing was looked at", place)
		}
		for name, value := range secrets {
			if len(value) < 16 || strings.Contains(text, value) {
				t.Errorf("secret %s in %s (or too short to look for)", name, place)
			}
		}
	}
}

// releases are Helm's records, decoded.
func (b testbed) releases() string {
	b.t.Helper()
	return b.in("bash", "-c", `for s in $(kubectl get secret -A -l owner=helm -o jsonpath='{range .items[*]}{.metadata.namespace}/{.metadata.name} {end}'); do kubectl -n ${s%/*} get secret ${s#*/} -o jsonpath='{.data.release}' | base64 -d | base64 -d | gunzip; done`)
}

// watched runs the plugin, and gives the arguments of all processes that were seen meanwhile, each once.
func (b testbed) watched(args ...string) (result, string) {
	b.t.Helper()
	done := make(chan result)
	go func() { done <- b.onyxia(args...) }()
	seen := map[string]bool{}
	for {
		out, err := exec.Command("ps", "axww", "-o", "args=").Output()
		if err != nil {
			b.t.Fatal(err)
		}
		for _, line := range lines(string(out)) {
			seen[line] = true
		}
		select {
		case r := <-done:
			return r, strings.Join(slices.Sorted(maps.Keys(seen)), "\n")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// reinstalled: an uninstall keeps the volume and its password, and a new install finds the users again.
func (b testbed) reinstalled() {
	t := b.t.(*testing.T)
	b.onyxia("auth", "user", "add", "keeper", "--email", "keeper@demo.test").ok(t)
	away := b.onyxia("auth", "uninstall", "--yes").ok(t)
	for _, want := range []string{"persistentvolumeclaim/keycloak-db kept", "secret/keycloak-db kept", "release.helm/keycloak deleted"} {
		if !strings.Contains(away.stdout, want) {
			t.Errorf("uninstall lacks %q:\n%s", want, away.stdout)
		}
	}
	b.onyxia("auth", "install").ok(t)
	if users := b.onyxia("auth", "user", "list").ok(t).stdout; !strings.Contains(users, "keeper") {
		t.Errorf("users after the reinstall: %s", users)
	}
}

// distrusted: without the private authority no pod would trust the login. A pod finds out, nothing else is written.
func (b testbed) distrusted() {
	t := b.t.(*testing.T)
	b.configure(map[string]any{"trust": nil})
	refused := b.onyxia("auth", "install")
	if refused.code != 1 || !strings.Contains(refused.stderr, "pods do not trust the certificate of auth.lab.demo.test") || !strings.Contains(refused.stderr, "trust.caBundle") {
		t.Errorf("exit code %d\n%s", refused.code, refused.stderr)
	}
	if b.succeeds("kubectl", "get", "namespace", "keycloak") {
		t.Error("a namespace was made for a login that nothing would trust")
	}
	if left := b.in("kubectl", "-n", "onyxia", "get", "jobs", "-o", "name"); left != "" {
		t.Errorf("left of the pod: %s", left)
	}
}

// stoppedHalfWay: the server's pod and the database's go away while the realm is configured; the next run finishes, and
// nothing is there twice.
func (b testbed) stoppedHalfWay() {
	t := b.t.(*testing.T)
	// A pod deleted by force leaves its process running for a while beside the next one's.
	lock := "if flock -n /var/lib/postgresql/data/onyxia.lock true; then echo free; else echo held; fi"
	if got := strings.TrimSpace(b.in("kubectl", "-n", "keycloak", "exec", "keycloak-db-0", "--", "sh", "-c", lock)); got != "held" {
		t.Errorf("the volume of the database is %s for a second PostgreSQL", got)
	}
	for _, pod := range []string{"keycloak-0", "keycloak-db-0"} {
		b.kcadm("PUT", "", `{"ssoSessionMaxLifespan": 3600, "rememberMe": false}`)
		b.kcadm("DELETE", "/clients/"+b.clientID("onyxia"), "")
		cut, inside := b.interrupted(func() {
			b.in("kubectl", "-n", "keycloak", "delete", "pod", pod, "--grace-period=0", "--force")
		}, "auth", "configure", "--timeout", "60s")
		if !inside {
			t.Errorf("%s was deleted before or after configure was at work, so nothing was tried", pod)
		}
		t.Logf("%s deleted: exit code %d after %s\n%s%s", pod, cut.code, cut.took.Round(time.Millisecond), cut.stdout, cut.stderr)
		if cut.code != 0 && cut.stderr == "" {
			t.Errorf("%s deleted: exit code %d and not a word", pod, cut.code)
		}
		b.again("keycloak", "keycloak-db-0", "condition=Ready")
		b.again("keycloak", "keycloak-0", "condition=Ready")
		b.onyxia("auth", "install").ok(t)
		b.onyxia("diff", "auth").ok(t)
		var mappers []struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal([]byte(b.kcadm("GET", "/clients/"+b.clientID("onyxia")+"/protocol-mappers/models", "")), &mappers); err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for _, m := range mappers {
			seen[m.Name]++
		}
		if diff := cmp.Diff(map[string]int{"audience": 1, "groups": 1, "roles": 1}, seen); diff != "" {
			t.Errorf("mappers of client onyxia: %s", diff)
		}
	}
}

// interrupted runs the plugin and does something when its first line of progress is there. It tells whether the run was still at
// work when that was done.
func (b testbed) interrupted(cut func(), args ...string) (r result, inside bool) {
	b.t.Helper()
	cmd := b.command(filepath.Join(b.root, "testbed", "demo"), append([]string{"plugin"}, args...)...)
	progress, line := io.Pipe()
	cmd.Stdout = line
	done := make(chan result, 1)
	go func() {
		r := b.plugin(cmd)
		line.Close()
		done <- r
	}()
	reader := bufio.NewReader(progress)
	_, err := reader.ReadString('\n')
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	if err != nil {
		return <-done, false
	}
	cut()
	select {
	case r := <-done:
		return r, false
	default:
		return <-done, true
	}
}

// clientID is Keycloak's own identifier of the one client of that name.
func (b testbed) clientID(name string) string { return b.onlyID("/clients?clientId=" + name) }

// leave takes a user out of a group.
func (b testbed) leave(user, group string) {
	b.t.Helper()
	b.kcadm("DELETE", "/users/"+b.onlyID("/users?exact=true&username="+user)+"/groups/"+b.onlyID("/groups?search="+group), "")
}

// onlyID is Keycloak's own identifier of the one thing that a query finds.
func (b testbed) onlyID(query string) string {
	b.t.Helper()
	var found []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(b.kcadm("GET", query, "")), &found); err != nil || len(found) != 1 {
		b.t.Fatalf("%s: %v %v", query, found, err)
	}
	return found[0].ID
}

// tokenOf logs a user in by the password grant of a client that the test made.
func (b testbed) tokenOf(realm, client, user, password string) string {
	b.t.Helper()
	form := url.Values{"grant_type": {"password"}, "client_id": {client}, "username": {user}, "password": {password}, "scope": {"openid"}}
	var got struct {
		Access string `json:"access_token"`
	}
	answer := b.curl("https://auth.lab.demo.test/auth/realms/"+realm+"/protocol/openid-connect/token", "-d", form.Encode())
	if err := json.Unmarshal([]byte(answer), &got); err != nil || got.Access == "" {
		b.t.Fatalf("no token for %s by %s: %s", user, client, answer)
	}
	return got.Access
}

// elsewhere: the same server once as a Keycloak that somebody else runs, with a realm of its own for us, and once as an
// issuer that nothing is known of. Neither is ours to install or to remove.
func (b testbed) elsewhere() {
	t := b.t.(*testing.T)
	defer func() {
		b.configure(auth(nil))
		b.onyxia("up", "auth", "app", "--yes").ok(t)
	}()
	b.configure(auth(map[string]any{
		"mode": "keycloak", "url": "https://auth.lab.demo.test/auth", "realm": "second", "credentialsSecret": "keycloak/keycloak-bootstrap",
	}))
	// Accounts stay behind with the old issuer, so it has to be agreed to.
	if unasked := b.onyxia("auth", "install"); unasked.code != 1 || !strings.Contains(unasked.stderr, "auth.mode is install and becomes keycloak") {
		t.Errorf("another issuer, unasked: exit code %d\n%s", unasked.code, unasked.stderr)
	}
	install := b.onyxia("auth", "install", "--yes").ok(t)
	if !strings.Contains(install.stdout, "realm.keycloak/second created") || strings.Contains(install.stdout, "release.helm/keycloak") {
		t.Errorf("a Keycloak that is there:\n%s", install.stdout)
	}
	if told := b.told(t); told.Issuer != "https://auth.lab.demo.test/auth/realms/second" {
		t.Errorf("Onyxia is told of %+v", told)
	}
	if writes := b.writes(func() { b.onyxia("auth", "install").ok(t) }); len(writes) > 0 {
		t.Errorf("the second run wrote:\n%s", strings.Join(writes, "\n"))
	}
	b.configure(auth(map[string]any{"mode": "oidc", "url": issuer, "clientID": "onyxia"}))
	other := b.onyxia("auth", "configure", "--yes").ok(t)
	if !strings.Contains(other.stdout, "By hand, at "+issuer+":\n  client onyxia: public") {
		t.Errorf("what has to be done at another issuer is not told:\n%s", other.stdout)
	}
	t.Logf("another issuer:\n%s%s", other.stdout, other.stderr)
	if told := b.told(t); told.Issuer != issuer || told.Client != "onyxia" || told.Audience != "" {
		t.Errorf("Onyxia is told of %+v", told)
	}
	b.configure(auth(map[string]any{"mode": "oidc", "url": "https://auth.lab.demo.test/auth/realms/nowhere", "clientID": "onyxia"}))
	if wrong := b.onyxia("auth", "install", "--yes", "--timeout", "10s"); wrong.code != 124 || !strings.Contains(wrong.stderr, "realms/nowhere") {
		t.Errorf("an issuer that does not exist: exit code %d\n%s", wrong.code, wrong.stderr)
	}
}

// auth is a configuration of the stage in which all else is at its default, whatever an earlier run has recorded.
func auth(keys map[string]any) map[string]any {
	all := map[string]any{"theme": map[string]any{"url": "none"}}
	for _, key := range []string{"mode", "url", "realm", "clientID", "credentialsSecret", "terms", "login"} {
		all[key] = nil
	}
	maps.Copy(all, keys)
	return map[string]any{"auth": all}
}

// A person signs up in a browser: a name that makes no namespace is refused in words, capitals become small letters, and the
// code that comes back to Onyxia's address buys a token that says what Onyxia is told.
func TestSignUpInBrowser(t *testing.T) {
	b := bed(t)
	if !b.beside() {
		// the stand-in serves any text; a real Onyxia shows files of its own only
		b.configure(auth(map[string]any{"terms": map[string]any{"en": "%PUBLIC_URL%/terms.md"}}))
		b.stand("tls", "auth", "app")
		defer func() {
			// terms that no key asks for any more are left alone, and users of other tests would be asked for them
			b.configure(auth(map[string]any{"login": map[string]any{"acceptTerms": false}}))
			b.onyxia("up", "auth", "app").ok(t)
		}()
	}
	inBrowser(t, func(ctx context.Context, t *testing.T) {
		verifier := rand.Text() + rand.Text()
		sum := sha256.Sum256([]byte(verifier))
		login := issuer + "/protocol/openid-connect/auth?" + url.Values{
			"client_id": {"onyxia"}, "redirect_uri": {"https://onyxia.demo.test/"}, "response_type": {"code"}, "scope": {"openid profile"},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "ui_locales": {"en"},
		}.Encode()
		name := "dave" + strings.ToLower(rand.Text()[:6])
		// by the page's own script: between two pages of the same form the browser's handles of fields are of either one
		fill := func(username string) chromedp.Action {
			values, err := json.Marshal(map[string]string{"username": username, "password": "correct horse 1", "password-confirm": "correct horse 1", "email": name + "@demo.test", "firstName": "Dave", "lastName": "Bowman"})
			if err != nil {
				t.Fatal(err)
			}
			return eventually(fmt.Sprintf(`(() => {
				const values = %s, ready = document.readyState === "complete" && !!document.querySelector("#email");
				if (ready) for (const id in values) document.getElementById(id).value = values[id];
				return ready })()`, values))
		}
		submit := chromedp.Evaluate(`HTMLFormElement.prototype.submit.call(document.querySelector("#username").form)`, nil)
		err := chromedp.Run(ctx,
			chromedp.Navigate(login),
			chromedp.Click(`//a[contains(@href, "registration")]`, chromedp.BySearch),
			// the rule stands below the field before anybody breaks it
			shows("Lower-case letters, digits and dashes; no dash at either end"),
			fill("Dave.B"), submit,
			eventually(`document.querySelector("#input-error-username")?.innerText.includes("no dash at either end")`),
			// Keycloak makes capitals small before it looks, and its page does not refuse them. That of Onyxia's theme does: see TestOnyxiaInBrowser.
			fill(strings.ToUpper(name)),
		)
		if err != nil {
			picture(ctx, t, "register-failed")
			t.Fatal(err)
		}
		picture(ctx, t, "register")
		if err := chromedp.Run(ctx, submit, chromedp.WaitVisible("#kc-accept", chromedp.ByQuery)); err != nil {
			picture(ctx, t, "sign-up-failed")
			t.Fatal(err)
		}
		picture(ctx, t, "terms")
		if err := chromedp.Run(ctx, chromedp.Click("#kc-accept", chromedp.ByQuery)); err != nil {
			t.Fatal(err)
		}
		claims := exchanged(t, b.codeOf(ctx, t), verifier)
		if told := b.told(t); claims["iss"] != told.Issuer || claims["azp"] != told.Client || told.Audience == "" {
			t.Errorf("Onyxia is told of %+v, the token says %v", told, claims)
		}
		// "account" is Keycloak's own: every user has a role of that client
		audiences, _ := claims["aud"].([]any)
		slices.SortFunc(audiences, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		if d := cmp.Diff([]any{"account", b.told(t).Audience}, audiences); d != "" {
			t.Errorf("audiences: %s", d)
		}
		// Keycloak leaves an empty claim out
		if claims["preferred_username"] != name || claims["groups"] != nil {
			t.Errorf("claims %v", claims)
		}

		b.onyxia("auth", "group", "add", "crew").ok(t)
		b.onyxia("auth", "group", "set", name, "crew").ok(t)
		if err := chromedp.Run(ctx, chromedp.Navigate(login)); err != nil {
			t.Fatal(err)
		}
		if claims := exchanged(t, b.codeOf(ctx, t), verifier); cmp.Diff([]any{"crew"}, claims["groups"]) != "" {
			t.Errorf("groups of a member of crew: %v", claims["groups"])
		}
	})
}

// told is what Onyxia says of the tokens that it takes.
type told struct {
	Issuer   string `json:"issuerURI"`
	Audience string `json:"audience"`
	Client   string `json:"clientID"`
}

func (b testbed) told(t *testing.T) told {
	t.Helper()
	var served struct {
		OIDC told `json:"oidcConfiguration"`
	}
	if err := json.Unmarshal([]byte(b.configuration()), &served); err != nil {
		t.Fatal(err)
	}
	return served.OIDC
}

// codeOf is the code with which the browser comes back to Onyxia's address.
func (b testbed) codeOf(ctx context.Context, t *testing.T) string {
	t.Helper()
	var at string
	if err := chromedp.Run(ctx, eventually(`location.host === "onyxia.demo.test"`), chromedp.Location(&at)); err != nil {
		picture(ctx, t, "sign-up-failed")
		t.Fatal(err)
	}
	back, err := url.Parse(at)
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("back at %s, %v", at, err)
	}
	return back.Query().Get("code")
}

// exchanged buys a token with the code and returns its claims.
func exchanged(t *testing.T, code, verifier string) map[string]any {
	t.Helper()
	root, err := os.ReadFile(bed(t).run("acme-root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	answer, err := client.PostForm(issuer+"/protocol/openid-connect/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"onyxia"}, "code": {code}, "redirect_uri": {"https://onyxia.demo.test/"}, "code_verifier": {verifier},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var tokens struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil || tokens.Access == "" {
		t.Fatalf("no token: %s, %v", answer.Status, err)
	}
	parts := strings.Split(tokens.Access, ".")
	if len(parts) != 3 {
		t.Fatal("the access token is no JWT")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
