package testbed

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Scripts are the fenced blocks of bash on a page of this repository, by the title of their section and in order, so that a test
// runs what an admin copies.
func Scripts(t testing.TB, page string) map[string][]string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	scripts, section := map[string][]string{}, ""
	for _, part := range regexp.MustCompile("(?ms)^## [^\n]*$|^```bash\n.*?^```$").FindAllString(string(raw), -1) {
		if title, ok := strings.CutPrefix(part, "## "); ok {
			section = title
			continue
		}
		scripts[section] = append(scripts[section], strings.TrimSuffix(strings.TrimPrefix(part, "```bash\n"), "```"))
	}
	return scripts
}
