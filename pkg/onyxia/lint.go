package onyxia

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// Severity says whether a finding stops an installation.
type Severity string

// An error breaks the datalab: the API does not start, or a page stays blank. A warning is a key that does nothing, or
// something that a person should know.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Finding is one thing in the values that does not do what it seems to. It never shows a value that may be a secret.
type Finding struct {
	Severity Severity `json:"severity"`
	// Path is where in the values, as in "api.regions[0].services.cloudshell"; empty for the values as a whole.
	Path    string `json:"path"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
}

// linter collects findings about one set of values.
type linter struct {
	keys
	chart    string // the chart version as it was given
	findings []Finding
}

// Lint says what in the values the chart, the API or the web of that version would drop, refuse or stumble over. The
// chart has no schema and the API drops unknown keys, so nobody else says so. It is made for every version from 4.1 on,
// also those between the generations that Values renders. The findings are sorted by path.
func Lint(chartVersion string, values map[string]any) []Finding {
	known, err := keysOf(chartVersion)
	if err != nil {
		return []Finding{{SeverityError, "", err.Error(), "name a version of the chart, such as 11.5.1"}}
	}
	l := &linter{keys: known, chart: chartVersion}
	plain, err := asJSON(values)
	if err != nil {
		return []Finding{{SeverityError, "", "the values are not such as JSON has: " + err.Error(), "use maps with text as keys, lists, text, numbers and booleans"}}
	}
	l.object("", "chart", plain)
	for _, rule := range []func(*linter, map[string]any){
		checkNewer, checkSecrets, checkRegions, checkLogin, checkIngress, checkPlaceholders, checkWebTerms,
	} {
		rule(l, plain)
	}
	slices.SortStableFunc(l.findings, func(a, b Finding) int { return cmp.Compare(a.Path, b.Path) })
	return l.findings
}

// asJSON is a copy of the values with nothing in it but what JSON has, numbers as json.Number.
func asJSON(values map[string]any) (map[string]any, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var out map[string]any
	if err := decoder.Decode(&out); err != nil {
		return nil, err
	}
	return out, nil
}

func (l *linter) fail(path, message, fix string) {
	l.findings = append(l.findings, Finding{SeverityError, path, message, fix})
}

func (l *linter) warn(path, message, fix string) {
	l.findings = append(l.findings, Finding{SeverityWarning, path, message, fix})
}

// join makes the path of what stands under the keys, one in the other. A key with dots or slashes of its own is quoted.
func join(path string, keys ...string) string {
	for _, key := range keys {
		path = secret.Join(path, key)
	}
	return path
}

func at(path string, index int) string { return path + "[" + strconv.Itoa(index) + "]" }
