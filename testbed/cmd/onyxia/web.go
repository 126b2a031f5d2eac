package main

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"sort"
	"strings"
)

//go:embed page.html
var pageText string

// page is what the web shows: its own settings, and a place where the browser puts the API's configuration.
type page struct {
	Version  string
	APIURL   string
	Title    string
	Settings []setting
}

type setting struct{ Name, Value string }

// newWeb serves one page at every path, as the real web does, so that it answers its probes and any link.
func newWeb(version string, env map[string]string) (http.Handler, error) {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, err
	}
	var html bytes.Buffer
	if err := t.Execute(&html, page{
		Version: version, APIURL: or(env["ONYXIA_API_URL"], "/api"), Title: or(env["TAB_TITLE"], "Onyxia"), Settings: settings(env),
	}); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(html.Bytes())
	}), nil
}

// settings are the variables that the chart's web.env sets: those in capitals that neither the pod nor Kubernetes adds.
func settings(env map[string]string) []setting {
	var out []setting
	for name, value := range env {
		added := name == "PATH" || name == "HOME" || name == "HOSTNAME" || strings.HasPrefix(name, "KUBERNETES_") ||
			strings.Contains(name, "_SERVICE_") || strings.Contains(name, "_PORT")
		if !added && name == strings.ToUpper(name) {
			out = append(out, setting{name, value})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
