package onyxia

import "fmt"

// keysOfGeneration reads the keys of a version that we render values for.
func keysOfGeneration(chartVersion string) (keys, error) {
	if _, err := Generation(chartVersion); err != nil {
		return keys{}, err
	}
	return keysOf(chartVersion)
}

// configuration is what /api/public/configuration answers for these values: regions and oidcConfiguration, without what the
// API adds by itself (its build, and defaults of keys that are left out). Keys that this chart version does not know are not
// in it, since the API drops them, and neither is services.server, which it keeps to itself. Where the values have no
// regions there are none here: the API then has a region of its own.
func (k keys) configuration(values map[string]any) (map[string]any, error) {
	plain, err := asJSON(values)
	if err != nil {
		return nil, fmt.Errorf("values of the onyxia chart: %w", err)
	}
	out := map[string]any{}
	if regions := list(part(plain, "api"), "regions"); len(regions) > 0 {
		out["regions"] = k.served(variant{Type: "[region]"}, regions)
	}
	if env := part(plain, "api", "env"); k.atLeast(5, 0, 0) && text(env, "authentication.mode") == "openidconnect" {
		out["oidcConfiguration"] = servedLogin(env)
	}
	return out, nil
}

// servedLogin has the API's defaults for what the values leave out (API v4.12.0, application.properties).
func servedLogin(env map[string]any) map[string]any {
	login := map[string]any{}
	for key, from := range map[string]struct{ property, otherwise string }{
		"issuerURI":        {"oidc.issuer-uri", ""},
		"clientID":         {"oidc.clientID", "onyxia"},
		"extraQueryParams": {"oidc.extra-query-params", ""},
		"scope":            {"oidc.scope", "openid profile"},
		"audience":         {"oidc.audience", ""},
	} {
		login[key] = from.otherwise
		if value, set := env[from.property]; set {
			login[key], _ = scalarText(value)
		}
	}
	if idle := text(env, "oidc.idleSessionLifetimeInSeconds"); idle != "" {
		login["idleSessionLifetimeInSeconds"] = idle
	}
	return login
}

// served is a value as it comes out of the API when it went in like this.
func (k keys) served(v variant, value any) any {
	if one, ok := oneOrList(v.Type); ok {
		if _, isList := value.([]any); isList {
			return k.served(variant{Type: "[" + one + "]"}, value)
		}
		return k.served(variant{Type: one}, value)
	}
	switch value := value.(type) {
	case []any:
		element, ok := listOf(v.Type)
		if !ok {
			return withoutNulls(value)
		}
		out := make([]any, len(value))
		for i := range value {
			out[i] = k.served(variant{Type: element}, value[i])
		}
		return out
	case map[string]any:
		return k.servedMap(v, value)
	case string:
		if e := v.canonical(value); e != "" {
			return e
		}
	}
	return value
}

func (k keys) servedMap(v variant, m map[string]any) any {
	if k.passedOn(v) || v.Type == "any" {
		return withoutNulls(m)
	}
	element, isMap := mapOf(v.Type)
	out := map[string]any{}
	for name, value := range m {
		below, ok := variant{Type: element}, isMap
		if !isMap {
			below, ok = k.at(v.Type, name)
		}
		if ok && value != nil && below.Type != "server" {
			out[name] = k.served(below, value)
		}
	}
	return out
}
