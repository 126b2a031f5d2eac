// Package rules holds the code to the architecture: who may import what, and what may not stand anywhere.
package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/kubectl-onyxia/kubectl-onyxia/"

// file is one Go source file of the product, tests left out.
type file struct {
	path    string // below the module's root, with slashes
	folder  string
	ast     *ast.File
	imports []string
}

func sources(t *testing.T) []file {
	t.Helper()
	root := filepath.Join("..", "..")
	var out []file
	for _, top := range []string{"cmd", "pkg"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution|parser.ParseComments)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			f := file{path: filepath.ToSlash(rel), ast: parsed}
			f.folder = f.path[:strings.LastIndex(f.path, "/")]
			for _, i := range parsed.Imports {
				name, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					return err
				}
				f.imports = append(f.imports, name)
			}
			out = append(out, f)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 50 {
		t.Fatalf("only %d source files found: the rules would hold nothing", len(out))
	}
	return out
}

// Each outside system has one importer.
func TestOneImporterPerLibrary(t *testing.T) {
	owners := map[string]string{
		"helm.sh/helm/":               "pkg/helm",
		"github.com/go-acme/lego/":    "pkg/acme",
		"github.com/minio/minio-go/":  "pkg/s3",
		"github.com/spf13/cobra":      "pkg/cmd",
		"github.com/minio/madmin-go/": "nobody (AGPL)",
	}
	for _, f := range sources(t) {
		for _, name := range f.imports {
			for library, owner := range owners {
				if strings.HasPrefix(name, library) && f.folder != owner && !strings.HasPrefix(f.folder, owner+"/") {
					t.Errorf("%s imports %s, which belongs to %s", f.path, name, owner)
				}
			}
		}
	}
}

// layers from the top down: a package may import those below its own layer, and none beside or above it.
func layers() [][]string {
	return [][]string{
		{"cmd"},
		{"pkg/cmd/root"},
		{"pkg/cmd/stages"},
		{"pkg/cmd/up", "pkg/cmd/down", "pkg/cmd/diff", "pkg/cmd/status", "pkg/cmd/config", "pkg/cmd/completion", "pkg/cmd/version"},
		{"pkg/cmd/cli"},
		{"pkg/installation", "pkg/stage/all"},
		{"pkg/stage/"},
		{"pkg/stage"},
		{"pkg/helm", "pkg/keycloak", "pkg/s3", "pkg/vault", "pkg/onyxia", "pkg/acme"},
		{"pkg/kube"},
		{"pkg/engine", "pkg/profile"},
		{"pkg/platform"},
		{"pkg/spelling", "pkg/secret"},
	}
}

func layer(folder string) int {
	best, length := -1, -1
	for depth, names := range layers() {
		for _, name := range names {
			hit := folder == strings.TrimSuffix(name, "/") && !strings.HasSuffix(name, "/") || strings.HasPrefix(folder, strings.TrimSuffix(name, "/")+"/")
			if hit && len(name) > length {
				best, length = depth, len(name)
			}
		}
	}
	return best
}

func TestImportsPointDown(t *testing.T) {
	for _, f := range sources(t) {
		from := layer(f.folder)
		if from < 0 {
			t.Errorf("%s is in no layer: add its folder to the list", f.folder)
			continue
		}
		for _, name := range f.imports {
			folder, ours := strings.CutPrefix(name, module)
			if !ours || inside(f.folder, folder) {
				continue
			}
			if to := layer(folder); to <= from {
				t.Errorf("%s imports %s: arrows point down", f.path, folder)
			}
		}
	}
}

// inside tells a folder and one below it: a package and its own parts.
func inside(a, b string) bool {
	below := strings.HasPrefix(b, a+"/") || strings.HasPrefix(a, b+"/")
	return below && !strings.HasPrefix(a, "pkg/stage") && !strings.HasPrefix(a, "pkg/cmd")
}

// B2: a client that carries a credential is made by pkg/secret and follows no redirect. The others carry none of their own.
func TestB2ClientsWithCredentials(t *testing.T) {
	without := map[string]string{
		"pkg/secret/http.go":               "makes them",
		"pkg/acme/client.go":               "signs each request for one address (RFC 8555 section 6.4)",
		"pkg/helm/oci.go":                  "leaves the credential behind: secret.Strip",
		"pkg/helm/client.go":               "downloads what is public",
		"pkg/installation/installation.go": "downloads what is public",
		"pkg/kube/forward_conn.go":         "its transport is secret.Transport",
		"pkg/stage/public.go":              "asks as somebody who is not logged in",
	}
	for _, f := range sources(t) {
		if without[f.path] != "" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if name := fmt.Sprint(n.X) + "." + n.Sel.Name; slices.Contains([]string{"http.DefaultClient", "http.Get", "http.Post", "http.PostForm", "http.Head"}, name) {
					t.Errorf("%s uses %s: take secret.Client", f.path, name)
				}
			case *ast.CompositeLit:
				if s, ok := n.Type.(*ast.SelectorExpr); ok && fmt.Sprint(s.X)+"."+s.Sel.Name == "http.Client" {
					t.Errorf("%s makes an http.Client: take secret.Client", f.path)
				}
			}
			return true
		})
	}
}

// main is the only place that ends the program, and nothing happens before it.
func TestNothingHappensBehindTheBack(t *testing.T) {
	forbidden := map[string][]string{"os": {"Exit"}, "log": {"Fatal", "Fatalf", "Fatalln", "Panic", "Panicf"}}
	for _, f := range sources(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s has an init function", f.path)
				}
			case *ast.CallExpr:
				// lego's logger has to end what lego believes is the end of the program; pkg/acme turns that into an error.
				if f.path == "pkg/acme/lego.go" && called(n, forbidden) == "panic" {
					return true
				}
				if name := called(n, forbidden); name != "" && !strings.HasPrefix(f.path, "cmd/") {
					t.Errorf("%s calls %s", f.path, name)
				}
			}
			return true
		})
	}
}

func called(c *ast.CallExpr, forbidden map[string][]string) string {
	if id, ok := c.Fun.(*ast.Ident); ok && id.Name == "panic" {
		return "panic"
	}
	selector, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, ok := selector.X.(*ast.Ident)
	if ok && slices.Contains(forbidden[pkg.Name], selector.Sel.Name) {
		return pkg.Name + "." + selector.Sel.Name
	}
	return ""
}

// Package variables are errors, embedded files, or proofs that a type implements an interface.
func TestNoPackageState(t *testing.T) {
	for _, f := range sources(t) {
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && !allowedVariable(v) {
					t.Errorf("%s has the package variable %s", f.path, v.Names[0].Name)
				}
			}
		}
	}
}

func allowedVariable(v *ast.ValueSpec) bool {
	for _, name := range v.Names {
		if name.Name != "_" && !regexp.MustCompile(`^(err|Err)[A-Z]`).MatchString(name.Name) && !embedded(v) {
			return false
		}
	}
	return true
}

func embedded(v *ast.ValueSpec) bool {
	if s, ok := v.Type.(*ast.SelectorExpr); ok {
		return fmt.Sprint(s.X) == "embed"
	}
	// A string or []byte without a value can only be filled by a go:embed directive, or is of no use.
	return v.Type != nil && len(v.Values) == 0 && (fmt.Sprint(v.Type) == "string" || fmt.Sprintf("%T", v.Type) == "*ast.ArrayType")
}

// Names that say nothing.
func TestPlainNames(t *testing.T) {
	vague := regexp.MustCompile(`(?i)(^|/)(util|utils|helper|helpers|common|misc|manager|data)(/|\.go$|$)`)
	for _, f := range sources(t) {
		if vague.MatchString(f.path) {
			t.Errorf("%s: name it after what it is", f.path)
		}
	}
}

// A file is short enough to be read at once.
func TestFilesAreShort(t *testing.T) {
	const longest = 400
	for _, f := range sources(t) {
		raw, err := os.ReadFile(filepath.Join("..", "..", f.path))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(raw), "\n"); n > longest {
			t.Errorf("%s has %d lines: split it (%d at most)", f.path, n, longest)
		}
	}
}

// Every exported name says what it is for.
func TestExportedNamesAreDocumented(t *testing.T) {
	for _, f := range sources(t) {
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
					t.Errorf("%s: %s has no comment", f.path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: %s has no comment", f.path, ts.Name.Name)
					}
				}
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	kind := d.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if index, ok := kind.(*ast.IndexExpr); ok {
		kind = index.X
	}
	id, ok := kind.(*ast.Ident)
	return ok && id.IsExported() && d.Name.Name != "Error" && d.Name.Name != "Unwrap" && d.Name.Name != "Is"
}
