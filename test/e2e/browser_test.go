//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// besideVariable marks a test that runs in the network namespace beside the node's, where a browser has to be.
const besideVariable = "E2E_BESIDE"

// inBrowser runs the function with a browser that knows the ACME server's root and nothing else of it. The test runs
// itself again in the namespace beside the node's for that.
func inBrowser(t *testing.T, look func(context.Context, *testing.T)) {
	t.Helper()
	b := bed(t)
	if !b.beside() {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := b.command(filepath.Join(b.root, "testbed", "exec"), "--beside", "env", besideVariable+"=1", self, "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Dir = filepath.Join(b.root, "test", "e2e")
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Fatalf("in the browser's namespace: %v", err)
		}
		return
	}
	home := browserHome(t)
	b.trust(home)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.UserDataDir(filepath.Join(home, "profile")), chromedp.Env("HOME="+home),
		chromedp.WindowSize(1400, 1000), chromedp.Flag("disable-quic", true), chromedp.Flag("lang", "en"),
		chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	ctx, stop = chromedp.NewContext(ctx)
	defer stop()
	ctx, stop = context.WithTimeout(ctx, 8*time.Minute)
	defer stop()
	// The web application tells API errors by alert(), which would stop everything.
	chromedp.ListenTarget(ctx, func(event any) {
		if dialog, ok := event.(*page.EventJavascriptDialogOpening); ok {
			t.Errorf("the page says: %s", dialog.Message)
			go func() {
				if err := chromedp.Run(ctx, page.HandleJavaScriptDialog(true)); err != nil {
					t.Logf("dialog: %v", err)
				}
			}()
		}
	})
	// the browser lives as long as the context of its first action
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("ending the browser: %v", err)
		}
	}()
	look(ctx, t)
}

// browserHome is a folder that goes with the test. Processes of the browser write into its profile for a moment after the
// first of them has ended, so that it may have to be removed more than once.
func browserHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "e2e-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			err := os.RemoveAll(home)
			if err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Error(err)
				return
			}
		}
	})
	return home
}

// beside tells whether this process runs in the browser's namespace.
func (b testbed) beside() bool { return os.Getenv(besideVariable) != "" }

// trust puts the root into the store that Chromium reads.
func (b testbed) trust(home string) {
	b.t.Helper()
	store := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(store, 0o700); err != nil {
		b.t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-N", "--empty-password"},
		{"-A", "-t", "C,,", "-n", "acme-root", "-i", b.run("acme-root.pem")},
	} {
		if out, err := exec.Command("certutil", append([]string{"-d", "sql:" + store}, args...)...).CombinedOutput(); err != nil {
			b.t.Fatalf("certutil (Debian libnss3-tools): %v\n%s", err, out)
		}
	}
}

// eventually evaluates an expression until it is true. A page that is being left answers with errors meanwhile.
func eventually(expression string) chromedp.ActionFunc {
	return func(ctx context.Context) error {
		var err error
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
			var ok bool
			if err = answered(ctx, chromedp.Evaluate(expression, &ok)); err == nil && ok {
				return nil
			}
		}
		return fmt.Errorf("not within a minute: %s (%v)", expression, err)
	}
}

// answered bounds one question to the browser: asked while a page is left for another one, it is never answered.
func answered(ctx context.Context, question chromedp.Action) error {
	ctx, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	return question.Do(ctx)
}

// picture keeps what the browser shows, for people.
func picture(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("E2E_PICTURES")
	if dir == "" {
		return
	}
	var png []byte
	if err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error { return answered(ctx, chromedp.CaptureScreenshot(&png)) })); err != nil {
		t.Logf("no picture of %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
