package stages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A user's token comes from a file or standard input, and prints nowhere.
func TestUserToken(t *testing.T) {
	file, empty := filepath.Join(t.TempDir(), "token"), filepath.Join(t.TempDir(), "empty")
	for name, content := range map[string]string{file: "a.b.c\n", empty: "\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct{ file, mode, token, wrong string }{
		"none":       {"", "install", "", ""},
		"a file":     {file, "oidc", "a.b.c", ""},
		"stdin":      {"-", "oidc", "d.e.f", ""},
		"not there":  {file + "2", "oidc", "", "--user-token: open "},
		"empty":      {empty, "oidc", "", "has to hold an access token for client onyxia-minio"},
		"in a realm": {file, "install", "", "--user-token is for auth.mode oidc: with auth.mode install users are made"},
	} {
		got, err := userToken(strings.NewReader(" d.e.f"), tc.file, tc.mode)
		if got.Reveal() != tc.token || (err == nil) != (tc.wrong == "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
			t.Errorf("%s: %q, %v", name, got.Reveal(), err)
		}
		if strings.Contains(got.String(), ".") {
			t.Errorf("%s: the token prints", name)
		}
	}
}
