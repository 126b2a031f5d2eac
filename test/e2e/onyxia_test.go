//go:build e2e

package e2e

import (
	"archive/zip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// shelf is where a server on the node hands out what a datalab with internet would fetch from release pages: the login
// theme's jar, and a zip with the terms.
const shelf = "192.168.50.1:8088"

// A user of the real Onyxia, on its theme: signs up, accepts the terms, is greeted by name, puts a file under "My files" and
// a secret under "My secrets"; both are where the user's own credentials find them, and nowhere else.
func TestOnyxiaInBrowser(t *testing.T) {
	if os.Getenv("ONYXIA") != "real" {
		t.Skip("NOT RUN: the stand-in of Onyxia has no login, no files and no secrets. Build Onyxia as testbed/README.md says, then: make e2e ONYXIA=real RUN=TestOnyxia")
	}
	b := bed(t)
	if !b.beside() {
		b.bare()
		b.configure(map[string]any{
			"auth": map[string]any{
				"theme": map[string]any{"url": "http://" + shelf + "/keycloak-theme.jar", "sha256": b.shelve()},
				"terms": map[string]any{"en": "%PUBLIC_URL%/custom-resources/terms.md"},
			},
			"app": map[string]any{"values": map[string]any{
				"api": map[string]any{"catalogs": []any{}},
				"web": map[string]any{"env": map[string]any{"CUSTOM_RESOURCES": "http://" + shelf + "/custom.zip"}},
			}},
		})
		b.onyxia("ingress", "install").ok(t)
		b.tool("demo", "dns")
		up := b.onyxia("up", "--keys-file", filepath.Join(t.TempDir(), "keys")).ok(t)
		t.Logf("up: %s\n%s", up.took.Round(time.Millisecond), up.stdout)
	}
	inBrowser(t, func(ctx context.Context, t *testing.T) { b.lives(ctx, t) })
}

// shelve puts the theme's jar and the terms on the shelf, and gives the jar's checksum.
func (b testbed) shelve() string {
	t := b.t.(*testing.T)
	build := os.Getenv("ONYXIA_BUILD")
	if build == "" {
		build = filepath.Join(os.Getenv("HOME"), ".cache", "upstream", "out")
	}
	jar, err := os.ReadFile(filepath.Join(build, "keycloak-theme.jar"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "keycloak-theme.jar"), jar, 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(folder, "custom.zip"))
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(file)
	terms, err := archive.Create("terms.md")
	if err == nil {
		_, err = io.WriteString(terms, "# Terms of the test\n\nNothing is promised.\n")
	}
	if err == nil {
		err = archive.Close()
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := b.command(filepath.Join(b.root, "testbed", "exec"), "env", "E2E_SHELF="+folder, self)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Kill(); err != nil {
			t.Error(err)
		}
	})
	sum := sha256.Sum256(jar)
	return hex.EncodeToString(sum[:])
}

// TestMain runs the tests, or, started by one of them inside the cluster's network, the server of the shelf or the plugin behind a proxy.
func TestMain(m *testing.M) {
	if text := os.Getenv(faultsVariable); text != "" {
		code, err := behindProxy(text)
		if err != nil {
			log.Fatal(err)
		}
		os.Exit(code)
	}
	folder := os.Getenv("E2E_SHELF")
	if folder == "" {
		lock, err := alone()
		if err != nil {
			log.Fatal(err)
		}
		m.Run()
		runtime.KeepAlive(lock)
		return
	}
	server := &http.Server{Addr: shelf, Handler: http.FileServer(http.Dir(folder)), ReadHeaderTimeout: time.Minute}
	log.Fatal(server.ListenAndServe())
}

// alone waits for other runs of these tests, which have the same cluster; one that was killed may have left some behind. The
// lock ends with the process. The part of a test that runs in the browser's namespace belongs to one that has it.
func alone() (*os.File, error) {
	if os.Getenv(besideVariable) != "" {
		return nil, nil
	}
	home := testbedHome()
	if err := os.MkdirAll(home, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(home, "e2e.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	taken := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(taken, syscall.EWOULDBLOCK) {
		log.Print("another run of these tests is at work on the cluster: waiting for it to end")
		taken = syscall.EINTR
	}
	for errors.Is(taken, syscall.EINTR) {
		taken = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	return lock, taken
}

// lives is a user's first quarter of an hour.
func (b testbed) lives(ctx context.Context, t *testing.T) {
	user := "dave" + strings.ToLower(rand.Text()[:6])
	step := func(name string, tasks ...chromedp.Action) {
		t.Helper()
		bounded, stop := context.WithTimeout(ctx, 75*time.Second)
		defer stop()
		err := chromedp.Run(bounded, tasks...)
		picture(ctx, t, name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	step("1-home", chromedp.Navigate("https://onyxia.demo.test/"), shows("Login"))
	step("2-login", press("Login"), there("#username"))
	step("3-register", press("Create an account"), there("#email"))
	// The theme judges a field that is left; its button, and so the Enter key, does nothing as long as a field is not as it should be.
	name := func(name string) chromedp.Action {
		return chromedp.Tasks{enter("#username", name), enter("#email", user+"@demo.test"), chromedp.KeyEvent("\r")}
	}
	refused := chromedp.Tasks{shows("Lower-case letters, digits and dashes; no dash at either end"), eventually(`document.querySelector("#username").ariaInvalid === "true"`)}
	step("4-capitals-refused", name("Dave"), refused)
	step("4-accepted", enter("#username", "dave"), enter("#email", user+"@demo.test"), eventually(`document.querySelector("#username").ariaInvalid !== "true"`))
	step("4-dot-refused", name("dave.b"), refused)
	step("5-filled", enter("#username", user), enter("#firstName", "Dave"), enter("#lastName", "Bowman"), enter("#password", s3Password),
		chromedp.Evaluate(`document.activeElement.blur()`, nil))
	step("6-terms", press("Create an account"), shows("Nothing is promised"))
	step("7-greeting", press("Accept"), shows("Welcome Dave!"), chromedp.Sleep(2*time.Second))
	file := filepath.Join(t.TempDir(), "hello.txt")
	if err := os.WriteFile(file, []byte("uploaded in a browser"), 0o600); err != nil {
		t.Fatal(err)
	}
	step("8-files", press("Data Storage"), press("s3://user-"+user+"/"), shows("Do you want to attempt creating it now?"))
	step("9-bucket", press("Yes"), press("Ok"), press("Upload"), chromedp.SetUploadFiles("input[type=file]", []string{file}, chromedp.ByQuery), shows("hello.txt"), eventually(`!document.body.innerText.includes("Uploading")`))
	step("10-secret", press("My Secrets"), press("Create secret"), shows("Data written to: onyxia-kv/user-"+user+"/untitled_secret"))
	b.found(t, user)
}

// found looks for the file and the secret with the user's own credentials, outside of the browser.
func (b testbed) found(t *testing.T, user string) {
	t.Helper()
	b.kcadm("POST", "/clients", `{"clientId": "e2e-s3", "publicClient": true, "directAccessGrantsEnabled": true, "protocolMappers": `+s3Mappers()+`}`)
	if out, err := b.mc(b.s3Login(user), "cat", "lab/user-"+user+"/hello.txt"); err != nil || out != "uploaded in a browser" {
		t.Errorf("mc: %v\n%s", err, out)
	}
	b.kcadm("POST", "/clients", `{"clientId": "e2e", "publicClient": true, "directAccessGrantsEnabled": true, "protocolMappers": [
		{"name": "aud", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper", "config": {"included.client.audience": "vault", "access.token.claim": "true"}}]}`)
	token, refused := b.vaultLogin(b.tokenOf("datalab", "e2e", user, s3Password))
	if token == "" {
		t.Fatal(refused)
	}
	secret := "onyxia-kv/data/user-" + user + "/untitled_secret"
	status, answer := b.vaultAs(token, "GET", secret, "")
	var written struct {
		Data struct {
			Data     map[string]any `json:"data"`
			Metadata struct {
				Version int `json:"version"`
			} `json:"metadata"`
		} `json:"data"`
	}
	// The web makes a new secret without any value; that it is there as a map, in its first version, is what it wrote.
	if err := json.Unmarshal([]byte(answer), &written); status != "200" || err != nil || written.Data.Data == nil || written.Data.Metadata.Version != 1 {
		t.Errorf("the secret: %s %s, %v", status, answer, err)
	}
	neighbour := user + "-neighbour"
	b.kcadm("POST", "/users", fmt.Sprintf(`{"username": %q, "enabled": true, "emailVerified": true, "email": "%s@demo.test", "firstName": "N", "lastName": "N",
		"credentials": [{"type": "password", "value": %q, "temporary": false}]}`, neighbour, neighbour, s3Password))
	// whatever a request for a new user says, the terms are added to what is asked of them
	b.kcadm("PUT", "/users/"+b.onlyID("/users?exact=true&username="+neighbour), `{"requiredActions": []}`)
	other, refused := b.vaultLogin(b.tokenOf("datalab", "e2e", neighbour, s3Password))
	if other == "" {
		t.Fatal(refused)
	}
	for who, c := range map[string][2]string{"a neighbour": {other, secret}, "a neighbour, the list": {other, "onyxia-kv/metadata/user-" + user + "?list=true"}, "nobody": {"", secret}} {
		if status, _ := b.vaultAs(c[0], "GET", c[1], ""); status != "403" {
			t.Errorf("%s: %s", who, status)
		}
	}
}

// there waits for an element to be seen.
func there(selector string) chromedp.Action {
	return eventually(fmt.Sprintf(`!!(document.querySelector(%q) || {}).offsetParent`, selector))
}

// shows waits for a text to be on the page.
func shows(text string) chromedp.Action {
	return eventually(fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// enter types a text into a field, in the place of what is there.
func enter(selector, text string) chromedp.Action {
	return chromedp.Tasks{
		eventually(fmt.Sprintf(`(() => { const f = document.querySelector(%q); if (f) { f.focus(); f.select(); } return !!f })()`, selector)),
		chromedp.KeyEvent(text),
	}
}

// press clicks on what bears that text or label, as soon as it is there and can be pressed.
func press(text string) chromedp.Action {
	return eventually(fmt.Sprintf(`(() => {
		const bears = e => [e.innerText, e.value, e.ariaLabel].some(t => (t || "").trim() === %q) && e.offsetParent && !(e.closest("button") || e).disabled && !e.querySelector("button:disabled");
		const found = [...document.querySelectorAll("button, a, [role=button], input[type=submit]")].find(bears) || [...document.querySelectorAll("p, span, div")].findLast(bears);
		if (found) found.click();
		return !!found })()`, text))
}
