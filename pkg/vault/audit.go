package vault

import (
	"context"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// auditDevice writes every request and answer, with secrets hashed, to a file or to the log of the pod. Vault refuses all
// requests while its only device cannot be written, so a file needs a volume with room.
type auditDevice struct {
	Access Access
	// Path of the device: "stdout".
	Path string
	// File is "stdout", or a path in Vault's container.
	File string
	// Declared says that the server's own configuration has the device, as Release renders it for OpenBao, which from
	// 2.3.2 refuses to have one enabled by its API (CVE-2025-54997).
	Declared bool
}

// auditSeen is what sys/audit says of a device.
type auditSeen struct {
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Options     map[string]string `json:"options"`
}

// auditDescription marks the device as ours.
const auditDescription = "requests, for Onyxia's operators"

// Observe reads the devices; nil means it is not there.
func (a auditDevice) Observe(ctx context.Context) (*auditSeen, error) {
	c, err := a.Access(ctx)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data map[string]auditSeen `json:"data"`
	}
	if err := c.Read(ctx, "sys/audit", &answer); err != nil {
		return nil, err
	}
	if seen, found := answer.Data[a.Path+"/"]; found {
		return &seen, nil
	}
	return nil, nil
}

// Plan compares. A device cannot be changed, only made anew.
func (a auditDevice) Plan(seen *auditSeen) engine.Change {
	if seen == nil && a.Declared {
		return engine.Change{Action: engine.Blocked, Why: "the server does not have the audit device that its configuration declares", Fix: "restart its pod and unseal it"}
	}
	if seen == nil {
		return engine.Change{Action: engine.Create}
	}
	var d differences
	d.text("type", seen.Type, "file")
	d.text("options.file_path", seen.Options["file_path"], a.File)
	if seen.Options["log_raw"] == "true" {
		d.text("options.log_raw", "true", "")
	}
	change := d.change()
	if change.Action == engine.Configure && a.Declared {
		change.Action, change.Why, change.Fix = engine.Blocked, "the server's configuration declares it otherwise", "change vault.values, or restart the pod if they were changed, and unseal it"
	} else if change.Action == engine.Configure {
		change.Action = engine.Replace
		change.Why = "an audit device cannot be changed, only enabled anew"
	}
	return change
}

// Apply enables it.
func (a auditDevice) Apply(ctx context.Context, seen *auditSeen) error {
	c, err := a.Access(ctx)
	if err != nil {
		return err
	}
	if seen != nil {
		if err := c.Delete(ctx, "sys/audit/"+a.Path); err != nil {
			return err
		}
	}
	return c.Write(ctx, "sys/audit/"+a.Path, map[string]any{
		"type": "file", "description": auditDescription, "options": map[string]string{"file_path": a.File},
	}, nil)
}

// RefuseRemoval keeps a device that somebody else enabled.
func (a auditDevice) RefuseRemoval(ctx context.Context) string {
	if a.Declared {
		return "declared in the server's configuration"
	}
	if seen, err := a.Observe(ctx); err == nil && seen != nil && seen.Description != auditDescription {
		return "enabled by somebody else"
	}
	return ""
}

// Remove disables it.
func (a auditDevice) Remove(ctx context.Context) error {
	c, err := a.Access(ctx)
	if err != nil {
		return err
	}
	return c.Delete(ctx, "sys/audit/"+a.Path)
}
