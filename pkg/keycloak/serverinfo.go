package keycloak

import (
	"context"
	"fmt"
	"slices"
)

// ServerInfo is what a server says about itself to any administrator, also to one of a single realm.
type ServerInfo struct {
	Version  Version
	Features Features
	// LoginThemes and EmailThemes are the themes that are installed.
	LoginThemes, EmailThemes []string
	// Locales that the server's own login theme is translated into.
	Locales []string
	// disabled are the features that the server was started without.
	disabled []string
}

// ServerInfo reads it, once in each observation round (280 KB on 26.5.6).
func (a *Admin) ServerInfo(ctx context.Context) (ServerInfo, error) { return a.info.Get(ctx) }

// ProfileAvailable tells whether the server can check a user profile at all.
func (s ServerInfo) ProfileAvailable() bool {
	return !s.Features.ProfileSwitch || !slices.Contains(s.disabled, "DECLARATIVE_USER_PROFILE")
}

func (a *Admin) readServerInfo(ctx context.Context) (ServerInfo, error) {
	var said struct {
		SystemInfo struct {
			Version string `json:"version"`
		} `json:"systemInfo"`
		ProfileInfo struct {
			DisabledFeatures []string `json:"disabledFeatures"`
		} `json:"profileInfo"`
		Themes map[string][]struct {
			Name    string   `json:"name"`
			Locales []string `json:"locales"`
		} `json:"themes"`
	}
	if err := a.get(ctx, "/serverinfo", &said); err != nil {
		return ServerInfo{}, err
	}
	info := ServerInfo{disabled: said.ProfileInfo.DisabledFeatures}
	if said.SystemInfo.Version != "" {
		v, err := ParseVersion(said.SystemInfo.Version)
		if err != nil {
			return ServerInfo{}, err
		}
		if v.Major < Oldest {
			return ServerInfo{}, fmt.Errorf("keycloak %s is too old: this program knows %d and later", v, Oldest)
		}
		info.Version = v
	}
	info.Features = info.Version.Features()
	for _, theme := range said.Themes["login"] {
		info.LoginThemes = append(info.LoginThemes, theme.Name)
		if theme.Name == "base" {
			info.Locales = theme.Locales
		}
	}
	for _, theme := range said.Themes["email"] {
		info.EmailThemes = append(info.EmailThemes, theme.Name)
	}
	return info, nil
}
