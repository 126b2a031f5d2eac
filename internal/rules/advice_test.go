package rules

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// Advice can be pasted: a command of ours that a text quotes begins with the plugin's name, which pkg/cmd words as it was
// called.
func TestAdviceNamesTheProgram(t *testing.T) {
	bare := regexp.MustCompile("`(up|down|status|diff|config|ingress|tls|app|auth|s3|vault) [a-z-]+[^`]*`")
	for _, f := range sources(t) {
		if !strings.HasPrefix(f.path, "pkg/") || strings.HasPrefix(f.path, "pkg/cmd/") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && strings.HasPrefix(text.Value, `"`) {
				for _, found := range bare.FindAllString(text.Value, -1) {
					t.Errorf("%s: %s cannot be pasted", f.path, found)
				}
			}
			return true
		})
	}
}
