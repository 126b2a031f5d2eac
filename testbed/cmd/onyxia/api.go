package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// configuration is the answer of /public/configuration (ConfigurationController.java), which asks for no login.
type configuration struct {
	Build struct {
		Version   string `json:"version"`
		Timestamp int64  `json:"timestamp"`
	} `json:"build"`
	Regions []any `json:"regions"`
	OIDC    *oidc `json:"oidcConfiguration,omitempty"`
}

// api answers for Onyxia's API under the chart's context path.
type api struct {
	configuration configuration
	catalogs      []any
	loginRequired bool
}

// newAPI reads the variables that the chart's ConfigMap sets and, once login is on, looks at the issuer.
func newAPI(ctx context.Context, version string, env map[string]string) (http.Handler, error) {
	regions, err := parseRegions(version, or(env["regions"], "[]"))
	if err != nil {
		return nil, err
	}
	a := &api{loginRequired: env["authentication.mode"] == "openidconnect"}
	a.configuration.Build.Version = version + "-stand-in"
	a.configuration.Regions = regions
	if err := decode(or(env["catalogs"], "[]"), &a.catalogs); err != nil {
		return nil, fmt.Errorf("catalogs: %w", err)
	}
	// Before v1.0 the API took no issuer but a Keycloak, looked at it at the first login, and did not publish it.
	if a.loginRequired && version != "v0.30" {
		if a.configuration.OIDC, err = newOIDC(ctx, env); err != nil {
			return nil, err
		}
	}
	return a.routes(env["server.servlet.context-path"]), nil
}

func (a *api) routes(contextPath string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+contextPath+"/public/healthcheck", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET "+contextPath+"/public/configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, a.configuration)
	})
	mux.HandleFunc("GET "+contextPath+"/public/regions", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, a.configuration.Regions)
	})
	mux.HandleFunc("GET "+contextPath+"/public/catalogs", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"catalogs": a.catalogs})
	})
	mux.HandleFunc(contextPath+"/", func(w http.ResponseWriter, _ *http.Request) {
		if a.loginRequired {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Error(w, "not part of this stand-in", http.StatusNotFound)
	})
	return mux
}

func answer(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// A client that went away is not our failure.
	_, _ = w.Write(text)
}
