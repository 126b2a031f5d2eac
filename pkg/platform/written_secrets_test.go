package platform

import (
	"strings"
	"testing"
)

// B8: a secret in the configuration is refused with the way to give it by a Secret, and is not repeated.
func TestB8SecretsInTheConfiguration(t *testing.T) {
	for name, c := range map[string]struct{ text, path, instead string }{
		"a catalogue":        {`app: {values: {api: {catalogs: [{id: a, password: hunter2}]}}}`, "app.values.api.catalogs[0].password", "under the key catalogs"},
		"the API's proxy":    {`app: {values: {api: {env: {http.proxyPassword: hunter2}}}}`, `app.values.api.env["http.proxyPassword"]`, "under the name of the property"},
		"the users' proxy":   {`app: {region: {proxyInjection: {httpProxyUrl: "http://u:hunter2@proxy:3128"}}}`, "app.region.proxyInjection.httpProxyUrl", "a proxy that asks for no login"},
		"a token of a link":  {`app: {values: {web: {env: {HEADER_LOGO: "https://git.example.org/x?private_token=hunter2"}}}}`, "app.values.web.env.HEADER_LOGO", "take it out"},
		"Keycloak":           {"auth: {values: {extraEnv: \"- name: KC_SPI_X_PASSWORD\\n  value: hunter2\"}}", "auth.values.extraEnv[0].value", "secretKeyRef in auth.values.extraEnv"},
		"Traefik":            {`ingress: {values: {env: [{name: OVH_CONSUMER_TOKEN, value: hunter2}]}}`, "ingress.values.env[0].value", "secretKeyRef in ingress.values.env"},
		"MinIO":              {`s3: {values: {users: [{accessKey: a, secretKey: hunter2}]}}`, "s3.values.users[0].secretKey", "existingSecret"},
		"Vault":              {`vault: {values: {server: {extraEnvironmentVars: {VAULT_TOKEN: hunter2}}}}`, "vault.values.server.extraEnvironmentVars.VAULT_TOKEN", "extraSecretEnvironmentVars"},
		"Vault's own file":   {"vault: {values: {server: {standalone: {config: \"seal \\\"x\\\" {\\n  token = \\\"hunter2\\\"\\n}\"}}}}", "vault.values.server.standalone.config", "extraSecretEnvironmentVars"},
		"a repository":       {`charts: {minio: {repository: "https://u:hunter2@charts.example.org"}}`, "charts.minio.repository", "helm registry login"},
		"a theme":            {`auth: {theme: {url: "https://git.example.org/theme.jar?access_token=hunter2"}}`, "auth.theme.url", "without the secret"},
		"a key of the realm": {`auth: {url: "https://u:hunter2@sso.example.org"}`, "auth.url", "without the secret"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := Parse([]byte("domain: a.org\n" + c.text))
			if err != nil {
				t.Fatal(err)
			}
			err = CheckSecrets(config)
			if err == nil || !strings.HasPrefix(err.Error(), c.path+": ") || !strings.Contains(err.Error(), c.instead) || strings.Contains(err.Error(), "hunter2") || strings.Count(err.Error(), "\n") != 1 {
				t.Errorf("%v", err)
			}
		})
	}
	for _, text := range []string{
		"auth: {lifespans: {accessToken: 5m}, smtp: {host: a, from: a@b.org, passwordSecret: onyxia/mail}}",
		"vault: {mode: external, credentialsSecret: onyxia/vault-token}\ntls: {acme: {eab: {kid: x, hmacSecret: a/b}}}",
		"auth: {values: {database: {existingSecret: x, existingSecretKey: password}}}\ns3: {values: {users: [{accessKey: a, existingSecret: b, existingSecretKey: c}]}}",
		"app: {values: {api: {serviceAccount: {automountServiceAccountToken: false}, env: {spring.config.import: \"configtree:/secrets/\"}}}}",
	} {
		config, err := Parse([]byte("domain: a.org\n" + text))
		if err == nil {
			err = CheckSecrets(config)
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
