package helm

import (
	"bytes"
	"path"
	"strings"
)

// isCRDFile tells whether a chart file is one that Helm installs before anything else (Helm: chart.CRDObjects).
func isCRDFile(name string) bool {
	if !strings.HasPrefix(name, "crds/") {
		return false
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// crdNames finds the names of the objects in a YAML file of CustomResourceDefinitions. It reads lines instead of parsing,
// because Traefik's definitions are a megabyte and their names are all that a decision needs. A file in JSON gives none.
func crdNames(text []byte) []string {
	var names []string
	var scan metadataScan
	for line := range bytes.Lines(text) {
		if name, found := scan.line(string(bytes.TrimRight(line, "\r\n "))); found {
			names = append(names, name)
		}
	}
	return names
}

// metadataScan walks the lines of a YAML stream and finds `name:` at the first level below a top-level `metadata:`.
type metadataScan struct {
	inside bool
	indent int // of the first level; 0 until its first line was seen
}

func (m *metadataScan) line(line string) (name string, found bool) {
	text := strings.TrimLeft(line, " ")
	indent := len(line) - len(text)
	switch {
	case text == "" || text[0] == '#':
		return "", false
	case indent == 0:
		m.inside, m.indent = line == "metadata:", 0
		return "", false
	case !m.inside:
		return "", false
	}
	if m.indent == 0 {
		m.indent = indent
	}
	value, isName := strings.CutPrefix(text, "name:")
	if !isName || indent != m.indent {
		return "", false
	}
	name = strings.Trim(strings.TrimSpace(value), `"'`)
	return name, name != ""
}
