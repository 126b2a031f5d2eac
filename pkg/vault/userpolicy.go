package vault

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// userPolicy lets each user reach the folder named after them, and after each of their groups, and nothing else.
//
// Vault puts a user's name and groups into the paths as they stand in the token, and a path is a pattern: a segment "+"
// matches any one segment, a "*" at its very end any rest, and a "/" begins a new segment (vault 1.14.1, parsePaths). With
// a prefix before the name a "+" or "*" is never a whole segment nor at the end, so such names match themselves only.
// What is left, and seen on vault 1.14.1:
//   - "/": a user "bob/x" reaches what bob keeps under x, and "bob/+" all that bob keeps below a folder;
//   - letter case: "BOB" is "bob" to Vault, which compares names in lower case;
//   - "+*": forbidden in a policy, so that every request of a user or of a member of a group with that in the name fails;
//   - without a UserPrefix, a user who is called as a group's folder ("projet-g2") owns that folder. A policy cannot deny it:
//     the path of the user is then the same as that of the group, and what a policy denies at a path it denies to members.
//
// "/" does the same in a group's name: the members of "g2/sub" reach what g2 keeps under sub.
//
// No policy can exclude these; the issuer must refuse such names, as Keycloak does with the rule of the realm we make.
// userNames finds those that came through, but for letter case, and stops where a user without a prefix reaches others.
type userPolicy struct {
	Access Access
	Name   string
	// KV is the path of the engine.
	KV string
	// UserPrefix and GroupPrefix stand before the name in the folder's name.
	UserPrefix, GroupPrefix string
	// NamesChecked says that the issuer refuses user names with anything but lower case letters, digits and dashes. Only
	// then may UserPrefix be empty, which Onyxia charts before 8.12 need.
	NamesChecked bool
	// Groups is how many groups of a user count; Role must map as many.
	Groups int
	// Accessor of the auth mount.
	Accessor *engine.Output[string]
	// Mark is the policy's first line, by which we know it for ours.
	Mark string
	// Shared says that others use this Vault as well: a policy of that name without the mark is somebody else's.
	Shared bool
}

// policySeen is the text of a policy, and the accessor that it is to name.
type policySeen struct {
	// Text is nil when the policy is not there.
	Text     *string
	Accessor string
}

// Observe reads the policy.
func (p userPolicy) Observe(ctx context.Context) (policySeen, error) {
	accessor, err := p.Accessor.Get()
	if err != nil {
		return policySeen{}, err
	}
	c, err := p.Access(ctx)
	if err != nil {
		return policySeen{}, err
	}
	text, err := c.policy(ctx, p.Name)
	return policySeen{Text: text, Accessor: accessor}, err
}

// Plan compares path by path.
func (p userPolicy) Plan(seen policySeen) engine.Change {
	if blocked := p.blocked(); blocked != nil {
		return *blocked
	}
	if seen.Text == nil {
		return engine.Change{Action: engine.Create}
	}
	change := comparePolicy(*seen.Text, p.rules(seen.Accessor))
	if change.Action != engine.Unchanged && p.theirs(*seen.Text) {
		return engine.Change{Action: engine.Blocked, Why: fmt.Sprintf("policy %s is there, says something else, and is not ours", p.Name),
			Fix: fmt.Sprintf("choose another path by vault.authPath, which has a policy of its own, and for the secrets one by vault.kvEngine; or, if nobody uses that policy: vault policy delete %s", p.Name)}
	}
	return change
}

func (p userPolicy) theirs(text string) bool {
	return p.Shared && !strings.HasPrefix(text, p.comment())
}

func (p userPolicy) comment() string { return "# " + p.Mark + "\n" }

func (p userPolicy) blocked() *engine.Change {
	switch {
	case strings.ContainsAny(p.UserPrefix+p.GroupPrefix+p.KV, "+*{}\"\\"), strings.Contains(p.UserPrefix+p.GroupPrefix, "/"):
		return &engine.Change{Action: engine.Blocked, Why: "the prefixes or the engine's path have a character that means something in a policy", Fix: "use letters, digits and dashes"}
	case p.GroupPrefix == "", p.GroupPrefix == p.UserPrefix:
		return &engine.Change{Action: engine.Blocked, Why: "without a prefix of its own, a group is not told from a user of the same name", Fix: "set prefixes.group"}
	case p.UserPrefix == "" && !p.NamesChecked:
		return &engine.Change{Action: engine.Blocked, Why: `without a prefix, a user who is called "+" reaches everybody's secrets`, Fix: "set prefixes.user, or use a realm whose user names are checked"}
	}
	return nil
}

// rules are the paths. A list request gets its slash from Vault, so no rule for the folder itself is needed.
func (p userPolicy) rules(accessor string) rules {
	alias := "identity.entity.aliases." + accessor
	folders := []string{p.UserPrefix + "{{" + alias + ".name}}"}
	for i := range p.Groups {
		folders = append(folders, fmt.Sprintf("%s{{%s.metadata.group%d}}", p.GroupPrefix, alias, i))
	}
	r := rules{}
	for _, folder := range folders {
		r[p.KV+"/data/"+folder+"/*"] = []string{"create", "read", "update", "patch", "delete"}
		r[p.KV+"/metadata/"+folder+"/*"] = []string{"create", "read", "update", "patch", "delete", "list"}
	}
	return r
}

// Apply writes it.
func (p userPolicy) Apply(ctx context.Context, seen policySeen) error {
	c, err := p.Access(ctx)
	if err != nil {
		return err
	}
	return c.writePolicy(ctx, p.Name, p.comment()+p.rules(seen.Accessor).text())
}

// RefuseRemoval keeps a policy that is not ours.
func (p userPolicy) RefuseRemoval(ctx context.Context) string {
	c, err := p.Access(ctx)
	if err != nil {
		return ""
	}
	if text, err := c.policy(ctx, p.Name); err == nil && text != nil && p.theirs(*text) {
		return "made by somebody else"
	}
	return ""
}

// Remove deletes it.
func (p userPolicy) Remove(ctx context.Context) error {
	c, err := p.Access(ctx)
	if err != nil {
		return err
	}
	return c.Delete(ctx, "sys/policies/acl/"+p.Name)
}

// comparePolicy compares a text with rules: path by path if it is of the simple form that we write, else as a whole.
func comparePolicy(text string, wanted rules) engine.Change {
	seen, simple := parseRules(text)
	if !simple {
		return engine.Change{Action: engine.Configure, Why: "the policy was edited beyond paths and capabilities",
			Fields: []engine.Field{{Path: "policy", From: digest(text), To: digest(wanted.text())}}}
	}
	var d differences
	d.pairs("path", flattened(seen), flattened(wanted))
	return d.change()
}

func flattened(r rules) map[string]string {
	flat := map[string]string{}
	for path, capabilities := range r {
		flat[path] = joined(capabilities)
	}
	return flat
}

// parseRules reads a policy of paths with capabilities only. It is not simple if anything is left over, or a path stands
// twice.
func parseRules(text string) (rules, bool) {
	pathBlock := regexp.MustCompile(`path\s+"([^"]*)"\s*\{\s*capabilities\s*=\s*\[([^\]]*)\]\s*\}`)
	comment := regexp.MustCompile(`(?m)^\s*(#|//).*$`)
	text = comment.ReplaceAllString(text, "")
	r := rules{}
	for _, found := range pathBlock.FindAllStringSubmatch(text, -1) {
		if _, twice := r[found[1]]; twice {
			return nil, false
		}
		r[found[1]] = []string{}
		for _, capability := range strings.Split(found[2], ",") {
			if capability = strings.Trim(strings.TrimSpace(capability), `"`); capability != "" {
				r[found[1]] = append(r[found[1]], capability)
			}
		}
	}
	return r, strings.TrimSpace(pathBlock.ReplaceAllString(text, "")) == ""
}
