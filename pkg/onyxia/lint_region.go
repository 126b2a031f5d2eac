package onyxia

import (
	"fmt"
	"slices"
)

// checkRegions looks into each region for what would stop the API or leave the page blank.
func checkRegions(l *linter, values map[string]any) {
	for i, r := range list(part(values, "api"), "regions") {
		path := at("api.regions", i)
		region, ok := r.(map[string]any)
		if !ok {
			continue
		}
		if text(region, "id") == "" {
			l.fail(join(path, "id"), "missing: the API finds no region without", "give it a name of your own that stays")
		}
		l.services(join(path, "services"), part(region, "services"))
		l.s3(join(path, "data", "S3"), part(region, "data")["S3"])
		if vault, ok := region["vault"].(map[string]any); ok {
			l.vault(join(path, "vault"), vault)
		}
	}
}

// services: the web reads expose.domain at start whatever happens, and API v0.30 the type.
func (l *linter) services(path string, services map[string]any) {
	if text(part(services, "expose"), "domain") == "" {
		l.fail(join(path, "expose", "domain"), "missing: the page stays blank for everyone", "write the parent domain of the services")
	}
	if !l.atLeast(9, 0, 0) && text(services, "type") == "" {
		l.fail(join(path, "type"), "missing: the API of this chart does not start without", "write KUBERNETES")
	}
}

// s3 takes the block, or the list of blocks that charts from 10.18.0 on allow.
func (l *linter) s3(path string, value any) {
	blocks, isList := value.([]any)
	if !isList {
		blocks = []any{value}
	}
	for i, b := range blocks {
		block, ok := b.(map[string]any)
		if !ok {
			continue
		}
		where := path
		if isList {
			where = at(path, i)
		}
		if !l.atLeast(8, 0, 0) {
			l.s3v4(where, block)
			continue
		}
		if text(block, "URL") == "" {
			l.fail(join(where, "URL"), "missing: the web has no server to speak to", "write the address of the S3 server")
		}
		if sts, ok := block["sts"].(map[string]any); ok && l.atLeast(11, 0, 0) {
			l.sts(join(where, "sts"), sts)
		}
	}
}

// s3v4: web 2.29.4 picks the block by its type, and Keycloak by three parameters.
func (l *linter) s3v4(path string, block map[string]any) {
	if text(block, "type") == "" {
		l.warn(join(path, "type"), "missing: the web takes no notice of the block", "write minio or amazon, or leave the block out")
	}
	if params, ok := block["keycloakParams"].(map[string]any); ok && !l.atLeast(5, 0, 0) {
		l.complete(join(path, "keycloakParams"), params, "URL", "realm", "clientId")
	}
}

// sts: a user for whom no role is left has a blank page (web 5.5.1, an assertion in s3Profiles.ts).
func (l *linter) sts(path string, sts map[string]any) {
	roles, isList := sts["role"].([]any)
	if !isList && sts["role"] != nil {
		roles = []any{sts["role"]}
	}
	if len(roles) == 0 {
		l.fail(join(path, "role"), "missing: the page stays blank for every user after login", `write {profileName: default, roleARN: "", roleSessionName: ""}`)
		return
	}
	everyone := false
	for i, r := range roles {
		role, ok := r.(map[string]any)
		if !ok {
			continue
		}
		if text(role, "profileName") == "" {
			where := join(path, "role")
			if isList {
				where = at(where, i)
			}
			l.fail(join(where, "profileName"), "missing: the web has no name to show the profile by", "write default")
		}
		everyone = everyone || text(role, "claimName") == ""
	}
	if !everyone {
		l.warn(join(path, "role"), "each role asks for a claim: the page stays blank for a user whose token has none of them", "add a role without claimName")
	}
}

// vault: the web logs in to Vault before it shows anything, so a block that is not complete is a blank page (P7).
func (l *linter) vault(path string, vault map[string]any) {
	l.complete(path, vault, "URL", "kvEngine", "role")
	client, wanted := "oidcConfiguration", []string{"clientID"}
	if !l.atLeast(5, 0, 0) {
		client, wanted = "keycloakParams", []string{"URL", "realm", "clientId"}
	}
	params, ok := vault[client].(map[string]any)
	if !ok {
		l.fail(join(path, client), "missing: the token of Onyxia's own client is not for Vault, which refuses it, and the page stays blank for every user", "name the client vault there, or leave the block out until it is ready")
		return
	}
	l.complete(join(path, client), params, wanted...)
}

func (l *linter) complete(path string, m map[string]any, wanted ...string) {
	missing := slices.DeleteFunc(wanted, func(key string) bool { return text(m, key) != "" })
	for _, key := range missing {
		l.fail(join(path, key), fmt.Sprintf("missing: %s does not work without, and the page stays blank for every user", path), "write it, or leave the block out until it is ready")
	}
}
