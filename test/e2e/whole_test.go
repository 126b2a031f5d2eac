//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The whole datalab in one go, after the records are made: all stages stand, S3 and Vault are proved, and the second run
// writes nothing to the API server. Vault's keys are in a file that only root may read, and in nothing else.
func TestWholeDatalab(t *testing.T) {
	b := bed(t)
	b.bare()
	b.onyxia("ingress", "install").ok(t)
	b.tool("demo", "dns")
	keys := filepath.Join(t.TempDir(), "vault-keys")
	first := b.onyxia("up", "--keys-file", keys).ok(t)
	t.Logf("up: %s\n%s", first.took.Round(time.Millisecond), first.stdout)
	for _, want := range []string{"proof.s3/onyxia created", "proof.vault/onyxia created", "Onyxia is at https://onyxia.demo.test"} {
		if !strings.Contains(first.stdout, want) {
			t.Errorf("stdout lacks %q", want)
		}
	}
	info, err := os.Stat(keys)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info, err)
	}
	writes := b.writes(func() { b.onyxia("up").ok(t) })
	if len(writes) > 0 {
		t.Errorf("the second run wrote:\n%s", strings.Join(writes, "\n"))
	}
	b.onyxia("status").ok(t)

	t.Run("a sealed Vault is said, and opens again", func(t *testing.T) {
		b := bed(t)
		b.in("kubectl", "-n", "vault", "delete", "pod", "vault-0")
		b.again("vault", "vault-0", "jsonpath={.status.phase}=Running")
		sealed := b.says("sealed", "vault", "status")
		if sealed.code != 3 || !strings.Contains(sealed.stdout, "sealed") {
			t.Errorf("exit code %d\n%s", sealed.code, sealed.stdout)
		}
		b.onyxia("vault", "unseal", "--keys-file", keys).ok(t)
		b.again("vault", "vault-0", "condition=Ready")
		b.onyxia("vault", "status").ok(t)
	})
	t.Run("the keys are nowhere else", func(t *testing.T) {
		b := bed(t)
		b.keysNowhere(keys)
	})
	t.Run("buckets are private", func(t *testing.T) {
		b := bed(t)
		b.onyxia("s3", "configure").ok(t)
	})
	t.Run("the first administrator is retired", func(t *testing.T) {
		b := bed(t)
		if doubted := b.onyxia("auth", "configure").ok(t); !strings.Contains(doubted.stderr, "auth retire-bootstrap") {
			t.Errorf("nobody is told of an administrator who is not needed:\n%s", doubted.stderr)
		}
		b.onyxia("auth", "retire-bootstrap").ok(t)
		b.onyxia("auth", "retire-bootstrap").ok(t)
		if quiet := b.onyxia("auth", "configure").ok(t); strings.Contains(quiet.stderr, "retire-bootstrap") {
			t.Errorf("still told:\n%s", quiet.stderr)
		}
		if writes := b.writes(func() { b.onyxia("up").ok(t) }); len(writes) > 0 {
			t.Errorf("without it a run writes:\n%s", strings.Join(writes, "\n"))
		}
		b.onyxia("s3", "configure").ok(t)
	})
}

// keysNowhere looks for every long word of the key file in what others may read.
func (b testbed) keysNowhere(file string) {
	b.t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	words := strings.FieldsFunc(string(raw), func(r rune) bool { return strings.ContainsRune("\"' \n\t,:[]{}", r) })
	text := b.in("kubectl", "get", "configmap,secret,pod,event", "-A", "-o", "yaml") + b.in("kubectl", "-n", "vault", "logs", "vault-0") + b.onyxia("status", "-o", "json").stdout
	looked := 0
	for _, word := range words {
		if len(word) < 24 || strings.HasPrefix(word, "http") || strings.Contains(word, "kubectl") {
			continue
		}
		looked++
		if strings.Contains(text, word) {
			b.t.Errorf("a word of the key file (%d characters) stands elsewhere", len(word))
		}
	}
	if looked < 3 {
		b.t.Errorf("only %d words to look for: the check would hold nothing", looked)
	}
}
