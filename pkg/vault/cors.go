package vault

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// corsAccess lets pages of one origin talk to Vault from the browser. Origins that others allowed stay.
type corsAccess struct {
	Access Access
	// Origin of the web application: "https://onyxia.example.org".
	Origin string
}

// corsSeen is what sys/config/cors says.
type corsSeen struct {
	Enabled bool     `json:"enabled"`
	Origins []string `json:"allowed_origins"`
	Headers []string `json:"allowed_headers"`
}

// standardHeaders are what Vault always allows and adds by itself (vault 1.14.1, StdAllowedHeaders).
func standardHeaders() []string {
	return []string{"Content-Type", "X-Requested-With", "X-Vault-AWS-IAM-Server-ID", "X-Vault-MFA", "X-Vault-No-Request-Forwarding",
		"X-Vault-Wrap-Format", "X-Vault-Wrap-TTL", "X-Vault-Policy-Override", "Authorization", "X-Vault-Token"}
}

// Observe reads the configuration.
func (o corsAccess) Observe(ctx context.Context) (corsSeen, error) {
	c, err := o.Access(ctx)
	if err != nil {
		return corsSeen{}, err
	}
	var answer struct {
		Data corsSeen `json:"data"`
	}
	err = c.Read(ctx, "sys/config/cors", &answer)
	return answer.Data, err
}

// Plan compares. "*" is every origin; it is somebody else's choice, and stays.
func (o corsAccess) Plan(seen corsSeen) engine.Change {
	switch {
	case !seen.Enabled:
		return engine.Change{Action: engine.Create}
	case slices.Contains(seen.Origins, o.Origin):
		return engine.Change{Action: engine.Unchanged}
	case slices.Contains(seen.Origins, "*"):
		return engine.Change{Action: engine.Unchanged, Why: "every origin is allowed, by somebody else"}
	}
	return engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: "allowed_origins", From: joined(seen.Origins), To: joined(append(slices.Clone(seen.Origins), o.Origin))}}}
}

// Apply adds the origin.
func (o corsAccess) Apply(ctx context.Context, seen corsSeen) error {
	origins := []string{o.Origin}
	if seen.Enabled {
		origins = append(slices.Clone(seen.Origins), o.Origin)
	}
	return o.write(ctx, seen, origins)
}

// Remove takes the origin out, and switches CORS off if none is left.
func (o corsAccess) Remove(ctx context.Context) error {
	seen, err := o.Observe(ctx)
	if err != nil || !seen.Enabled {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(seen.Origins), func(origin string) bool { return origin == o.Origin })
	if len(left) == len(seen.Origins) {
		return nil
	}
	if len(left) > 0 {
		return o.write(ctx, seen, left)
	}
	c, err := o.Access(ctx)
	if err != nil {
		return err
	}
	return c.Delete(ctx, "sys/config/cors")
}

func (o corsAccess) write(ctx context.Context, seen corsSeen, origins []string) error {
	c, err := o.Access(ctx)
	if err != nil {
		return err
	}
	standard := standardHeaders()
	headers := slices.DeleteFunc(slices.Clone(seen.Headers), func(h string) bool { return slices.Contains(standard, h) })
	if err := c.Write(ctx, "sys/config/cors", map[string]any{"enabled": true, "allowed_origins": origins, "allowed_headers": append([]string{}, headers...)}, nil); err != nil {
		return fmt.Errorf("allow %s: %w", o.Origin, err)
	}
	return nil
}
