package onyxia

import (
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// newest is the last major version whose keys were read.
const newest = 11

func checkNewer(l *linter, _ map[string]any) {
	if l.version.Major() > newest {
		l.warn("", fmt.Sprintf("chart %s is newer than the keys that are known here, those of %d", l.chart, newest), "look at what is served, and at the chart's notes on its new version")
	}
}

func checkSecrets(l *linter, values map[string]any) {
	for _, f := range secret.Find("", values) {
		l.fail(f.Path, f.Why+": a secret in values can be read by everyone who may read the release or its ConfigMap", "take it out: such a value belongs in a Secret, see docs/guide.md")
	}
}

// checkLogin: web and API are told separately in charts before 5.0.0, and each alone ends in a page that says something
// else (P1, P2). The API does not start on an empty issuer.
func checkLogin(l *linter, values map[string]any) {
	web, api := part(values, "web", "env"), part(values, "api", "env")
	login := text(api, "authentication.mode") == "openidconnect"
	account := part(values, "api", "serviceAccount")
	if !l.atLeast(6, 0, 0) {
		account = part(values, "serviceAccount")
	}
	if l.atLeast(5, 0, 0) {
		if login && text(api, "oidc.issuer-uri") == "" {
			l.fail(`api.env["oidc.issuer-uri"]`, "missing: the API does not start without an issuer to log in at", "write the issuer's address, as its discovery document has it")
		}
	} else {
		l.sameKeycloak(web, api, login)
	}
	if login && text(account, "clusterAdmin") != "true" && oneNamespacePerUser(values) {
		l.warn("api.regions", "singleNamespace is false, and the API may not make namespaces: the first login of each user fails", "set clusterAdmin of the service account, or give it such rights yourself")
	}
}

func (l *linter) sameKeycloak(web, api map[string]any, login bool) {
	for variable, property := range map[string]string{"KEYCLOAK_URL": "keycloak.auth-server-url", "KEYCLOAK_REALM": "keycloak.realm"} {
		there, here := text(web, variable), text(api, property)
		switch {
		case !login && there == "":
		case !login:
			l.fail("web.env."+variable, "the web logs in and the API does not", "set api.env[\"authentication.mode\"] to openidconnect")
		case there != here || there == "":
			l.fail("web.env."+variable, fmt.Sprintf("not the same as api.env[%q]: the web would show an invented user, or an error about the API", property), "write the same in both")
		}
	}
}

func oneNamespacePerUser(values map[string]any) bool {
	regions, _ := part(values, "api")["regions"].([]any)
	for _, r := range regions {
		if region, ok := r.(map[string]any); ok && text(part(region, "services"), "singleNamespace") == "false" {
			return true
		}
	}
	return false
}

// checkIngress: a rule without a tls block is served over plain http and not redirected (D6), and the annotation for the
// class is read by few controllers now (D5).
func checkIngress(l *linter, values map[string]any) {
	ingress := part(values, "ingress")
	if text(ingress, "enabled") != "true" {
		return
	}
	covered := map[string]bool{}
	blocks, _ := ingress["tls"].([]any)
	for _, b := range blocks {
		if block, ok := b.(map[string]any); ok {
			for _, h := range list(block, "hosts") {
				covered[fmt.Sprint(h)] = true
			}
		}
	}
	for i, h := range list(ingress, "hosts") {
		if host, ok := h.(map[string]any); ok && !covered[text(host, "host")] {
			l.warn(at("ingress.hosts", i), "no tls block has this host: plain http is not redirected, and login needs https", "name it under ingress.tls[].hosts; a secretName is not needed")
		}
	}
	if _, ok := part(ingress, "annotations")["kubernetes.io/ingress.class"]; ok {
		l.warn(`ingress.annotations["kubernetes.io/ingress.class"]`, "deprecated since Kubernetes 1.18", "write ingress.ingressClassName")
	}
}

// checkPlaceholders: leftovers of the guide that are read as values (D14, D15).
func checkPlaceholders(l *linter, values map[string]any) {
	if origins := text(part(values, "api", "env"), "security.cors.allowed_origins"); strings.Contains(origins, "localhost") {
		l.warn(`api.env["security.cors.allowed_origins"]`, "lets pages from a developer's machine use the API with a user's session", "take it out")
	}
	for i, r := range list(part(values, "api"), "regions") {
		l.placeholders(at("api.regions", i), r)
	}
}

func (l *linter) placeholders(path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for key := range value {
			l.placeholders(join(path, key), value[key])
		}
	case []any:
		for i := range value {
			l.placeholders(at(path, i), value[i])
		}
	case string:
		if strings.EqualFold(value, "todo") {
			l.warn(path, "a placeholder, which is taken for the value", "write the value, or leave the block out until it is ready")
		}
	}
}

// text is a single value below a key, as text; empty if there is none.
func text(m map[string]any, key string) string {
	s, _ := scalarText(m[key])
	return s
}

// list is the list below a key; empty if there is none.
func list(m map[string]any, key string) []any {
	l, _ := m[key].([]any)
	return l
}
