package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// CheckSecrets refuses a configuration with a secret in it: it would be in the record, in Helm's release, and in the case of
// Onyxia in ConfigMaps. Each place is said with the way to go instead, and without the value.
func CheckSecrets(c Config) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	tree := map[string]any{}
	if err := json.Unmarshal(raw, &tree); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	var found []secret.Found
	for _, place := range []string{"app.region", "app.values", "auth.values", "ingress.values", "s3.values", "vault.values"} {
		part, key, _ := strings.Cut(place, ".")
		if values, ok := tree[part].(map[string]any); ok {
			found = append(found, secret.Find(place, values[key])...)
			delete(values, key)
		}
	}
	var errs []error
	for _, f := range append(found, secret.FindInAddresses("", tree)...) {
		errs = append(errs, fmt.Errorf("%s: %s, and the configuration is no place for one: the record and the release would show it\n  %s",
			f.Path, f.Why, withoutSecret(f.Path)))
	}
	return errors.Join(errs...)
}

const mounted = "mount that by app.values.api.extraVolumes and extraVolumeMounts, and name the folder to the API by " +
	`app.values.api.env["spring.config.import"]: configtree:/FOLDER/ (docs/guide.md has an example)`

// withoutSecret says what to do in place of a secret in the configuration. What the charts take was read in keycloakx 7.1.11,
// traefik 39, ingress-nginx 4.15.1, minio 5.4.0, vault 0.34.1 and openbao 0.29.2. Onyxia's (4.1.1 to 11.5.1) takes no Secret by name,
// but its API is a program of Spring Boot, which reads properties from the files of a folder.
func withoutSecret(path string) string {
	part, _, _ := strings.Cut(path, ".")
	switch {
	case strings.HasPrefix(path, "charts"):
		return "give the address without it: `helm registry login` keeps a login for oci:// addresses, and --chart-dir DIR takes charts that you downloaded"
	case strings.HasPrefix(path, "app.values.api.catalogs"):
		return "put the whole list, as JSON, into a Secret under the key catalogs, " + mounted
	case strings.HasPrefix(path, "app.values.api.env"):
		return "put it into a Secret under the name of the property, " + mounted
	case part == "app" && strings.Contains(strings.ToLower(path), "proxy"):
		return "Onyxia hands it to every user: name a proxy that asks for no login, such as one inside the cluster that logs in at the next one"
	case part == "app":
		return "Onyxia's chart writes it into ConfigMaps, or hands it to every browser, and takes no Secret for it: take it out"
	case strings.HasPrefix(path, "auth.values"):
		return "put it into a Secret of namespace keycloak, and name that by secretKeyRef in auth.values.extraEnv, or by auth.values.extraEnvFrom"
	case strings.HasPrefix(path, "ingress.values"):
		return "put it into a Secret of the controller's namespace, and name that by secretKeyRef in ingress.values.env (ingress-nginx: controller.extraEnvs)"
	case strings.HasPrefix(path, "s3.values"):
		return "put it into a Secret of MinIO's namespace, and name that by existingSecret and existingSecretKey beside the user, or by s3.values.extraSecret"
	case strings.HasPrefix(path, "vault.values"):
		return "put it into a Secret of Vault's namespace, and name that by vault.values.server.extraSecretEnvironmentVars"
	}
	return "give it without the secret"
}
