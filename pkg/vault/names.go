package vault

import (
	"context"
	"errors"
	"net/http"
	"sort"
)

// HostileNames gives the user names known to the auth mount with that accessor that have anything but lower case
// letters, digits and dashes: such a name may reach into another user's folder (see UserPolicy) or have no namespace.
func (c *Client) HostileNames(ctx context.Context, accessor string) ([]string, error) {
	var answer struct {
		Data struct {
			Info map[string]struct {
				Name     string `json:"name"`
				Accessor string `json:"mount_accessor"`
			} `json:"key_info"`
		} `json:"data"`
	}
	err := c.request(ctx, http.MethodGet, "identity/entity-alias/id?list=true", nil, &answer)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	hostile := []string{}
	for _, alias := range answer.Data.Info {
		if alias.Accessor == accessor && !plainName(alias.Name) {
			hostile = append(hostile, alias.Name)
		}
	}
	sort.Strings(hostile)
	return hostile, nil
}

// plainName is the rule for names that are also a part of a namespace (RFC 1123 label).
func plainName(name string) bool {
	if name == "" || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}
