package vault

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// audited is where Vault's audit log ends: what was answered before is before it. The log comes through a pipe, so that a
// request of the test's own, which is refused, is waited for.
func (l *lab) audited(t *testing.T) int {
	t.Helper()
	mark := "mark/" + rand.Text()
	if err := l.client().Read(t.Context(), mark, nil); !errors.Is(err, vault.ErrPermissionDenied) {
		t.Fatalf("%v", err)
	}
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		log := l.server.Log()
		if i := strings.Index(log, mark); i >= 0 {
			if n := strings.IndexByte(log[i:], '\n'); n >= 0 {
				return i + n + 1
			}
		}
	}
	t.Fatal("Vault's audit log does not show the test's own request")
	return 0
}

// auditedWrites are the requests in Vault's audit log that are no reads, from there on.
func (l *lab) auditedWrites(t *testing.T, from int) (writes []string) {
	t.Helper()
	end := l.audited(t)
	for line := range strings.Lines(l.server.Log()[from:end]) {
		var entry struct {
			Type    string `json:"type"`
			Request struct {
				Operation string `json:"operation"`
				Path      string `json:"path"`
			} `json:"request"`
		}
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Type != "request" || slices.Contains([]string{"read", "list", "help"}, entry.Request.Operation) {
			continue
		}
		writes = append(writes, entry.Request.Operation+" "+entry.Request.Path)
	}
	return writes
}
