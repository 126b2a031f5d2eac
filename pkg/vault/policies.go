package vault

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// rules are the paths of an ACL policy with what may be done there.
type rules map[string][]string

// text writes the rules in Vault's language, sorted by path.
func (r rules) text() string {
	paths := make([]string, 0, len(r))
	for path := range r {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	var b strings.Builder
	for _, path := range paths {
		fmt.Fprintf(&b, "path %q {\n  capabilities = [\"%s\"]\n}\n", path, strings.Join(r[path], `", "`))
	}
	return b.String()
}

// policy reads an ACL policy; nil if there is none.
func (c *Client) policy(ctx context.Context, name string) (*string, error) {
	var answer struct {
		Data struct {
			Policy string `json:"policy"`
		} `json:"data"`
	}
	err := c.Read(ctx, "sys/policies/acl/"+name, &answer)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &answer.Data.Policy, nil
}

func (c *Client) writePolicy(ctx context.Context, name, text string) error {
	return c.Write(ctx, "sys/policies/acl/"+name, map[string]string{"policy": text}, nil)
}
