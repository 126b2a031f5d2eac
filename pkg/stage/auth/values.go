package auth

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// theme is the login theme's jar: where to get it, and what it has to be.
type theme struct{ url, sha256 string }

// imageValues name the image under the chart's keys. The digest has one of its own, because the tag becomes a label too.
func imageValues(image profile.Image) map[string]any {
	v := map[string]any{"repository": strings.TrimPrefix(image.Registry+"/"+image.Repository, "/")}
	if image.Tag != "" {
		v["tag"] = image.Tag
	}
	if image.Digest != "" {
		v["digest"] = image.Digest
	}
	return v
}

// values for chart keycloakx 7.1.11 (Keycloak 26.7.3), as seen to work, and for 2.2.2 (21.1.2). Passwords are named, never
// given.
func values(env stage.Env, image, curlImage string, t theme) (map[string]any, error) {
	p := env.Platform
	parsed, err := profile.ParseImage(image)
	if err != nil {
		return nil, err
	}
	d := dialectOf(serverVersion(image))
	v := map[string]any{
		"fullnameOverride": releaseName,
		"image":            imageValues(parsed),
		// The default keeps a pod that never got ready when its template is mended, and the field cannot be changed later.
		"podManagementPolicy": "Parallel",
		// Without it the image prints its help and ends.
		"args":  []any{"start"},
		"http":  map[string]any{"relativePath": platform.KeycloakRelativePath},
		"proxy": map[string]any{"mode": d.proxyMode},
		"database": map[string]any{
			"vendor": "postgres", "hostname": databaseHost(p), "port": databasePort(p), "database": p.Auth.Database.Name,
			"existingSecret": databaseSecret(p), "existingSecretKey": passwordKey,
		},
		"cache": map[string]any{"stack": ""},
		"securityContext": map[string]any{
			"runAsUser": 1000, "runAsNonRoot": true, "allowPrivilegeEscalation": false,
			"capabilities": map[string]any{"drop": []any{"ALL"}}, "seccompProfile": map[string]any{"type": "RuntimeDefault"},
		},
		"resources": map[string]any{"requests": map[string]any{"cpu": "250m", "memory": "1Gi"}},
		// The first start migrates the database and builds the server: minutes on a small node.
		"startupProbe": probe("/health", d.health, 240),
		"ingress": map[string]any{
			"enabled": true, "ingressClassName": p.Ingress.Class,
			// The cookies of a login do not fit the default of 4k.
			"annotations": map[string]any{"nginx.ingress.kubernetes.io/proxy-buffer-size": "128k"},
			"rules":       []any{map[string]any{"host": p.AuthHost(), "paths": []any{map[string]any{"path": platform.KeycloakRelativePath + "/", "pathType": "Prefix"}}}},
			"tls":         []any{map[string]any{"hosts": []any{p.AuthHost()}}},
		},
	}
	texts := map[string]any{"extraEnv": environment(p, d)}
	if t.url != "" {
		texts["extraInitContainers"] = []any{themeContainer(t, curlImage)}
		texts["extraVolumes"] = []any{map[string]any{"name": themeVolume, "emptyDir": map[string]any{}}}
		texts["extraVolumeMounts"] = []any{map[string]any{"name": themeVolume, "mountPath": "/opt/keycloak/providers"}}
	}
	for key, value := range texts {
		text, err := templateText(value)
		if err != nil {
			return nil, fmt.Errorf("values of Keycloak: %s: %w", key, err)
		}
		v[key] = text
	}
	return v, nil
}

// environment of the server.
func environment(p platform.Platform, d dialect) []any {
	secret := func(name, key string) map[string]any {
		return map[string]any{"secretKeyRef": map[string]any{"name": name, "key": key}}
	}
	list := []any{
		map[string]any{"name": d.hostname, "value": p.KeycloakURL()},
		map[string]any{"name": "KC_CACHE", "value": "local"},
		map[string]any{"name": "KC_DB_USERNAME", "valueFrom": secret(databaseSecret(p), usernameKey)},
		map[string]any{"name": d.adminName, "valueFrom": secret(stage.KeycloakBootstrapSecret, usernameKey)},
		map[string]any{"name": d.adminPassword, "valueFrom": secret(stage.KeycloakBootstrapSecret, passwordKey)},
		map[string]any{"name": "ONYXIA_RESOURCES_ALLOWED_ORIGINS", "value": p.OnyxiaURL()},
		map[string]any{"name": "JAVA_OPTS_APPEND", "value": "-Djava.net.preferIPv4Stack=true"},
	}
	if d.features != "" {
		list = append(list, map[string]any{"name": "KC_FEATURES", "value": d.features})
	}
	return list
}

// fetchTheme takes ten minutes at most. Without the jar Keycloak starts with its own pages, which is told when the realm is
// looked at: a login without a theme is better than none.
const fetchTheme = `if ! curl --fail --silent --show-error --location --connect-timeout 10 --max-time 300 --speed-limit 1000 --speed-time 30 --retry 3 --retry-max-time 300 --output /providers/onyxia-theme.jar "$THEME_URL"; then
  echo "the login theme can't be had from $THEME_URL: Keycloak starts with its own pages"
  rm -f /providers/onyxia-theme.jar
  exit 0
fi`

// themeContainer fetches the jar and refuses one that is not what it should be: a wrong jar would run in the login server.
func themeContainer(t theme, image string) map[string]any {
	check := "sha256sum /providers/onyxia-theme.jar"
	if t.sha256 != "" {
		check = `echo "$THEME_SHA256  /providers/onyxia-theme.jar" | sha256sum -c -`
	}
	script := []string{"set -eu", fetchTheme, check}
	return map[string]any{
		"name": "onyxia-theme", "image": image,
		"command": []any{"sh", "-c", strings.Join(script, "\n")},
		"env": []any{
			map[string]any{"name": "THEME_URL", "value": t.url},
			map[string]any{"name": "THEME_SHA256", "value": t.sha256},
		},
		"volumeMounts": []any{map[string]any{"name": themeVolume, "mountPath": "/providers"}},
	}
}

// probe replaces the chart's own, which gives up after five minutes.
func probe(path, port string, failures int) string {
	return fmt.Sprintf("httpGet:\n  path: '%s%s'\n  port: %s\n  scheme: HTTP\ninitialDelaySeconds: 5\ntimeoutSeconds: 5\nfailureThreshold: %d\nperiodSeconds: 5\n",
		platform.KeycloakRelativePath, path, port, failures)
}

// templateText is a value as the chart wants some of them: as text, which it runs through its template engine.
func templateText(value any) (string, error) {
	raw, err := yaml.Marshal(value)
	if err != nil {
		return "", err
	}
	return strings.NewReplacer("{{", `{{ "{{" }}`).Replace(string(raw)), nil
}
