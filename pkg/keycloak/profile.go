package keycloak

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// UserProfile is what is ours in a realm's user profile. Other attributes, validators, permissions and groups stay.
type UserProfile struct {
	// MaxUsername is how long a username may be, so that it fits into a namespace with its prefix.
	MaxUsername int
	// EmailDomains that an address may have, sub-domains included. Empty for all.
	EmailDomains []string
	// Attributes that are asked for besides.
	Attributes []ProfileAttribute
	// UnmanagedAttributes is the policy for attributes that the profile does not name: "ENABLED", "ADMIN_VIEW" or
	// "ADMIN_EDIT". Empty leaves it alone. Servers before 24 have none, and are not told of it.
	UnmanagedAttributes string
}

// ProfileAttribute is one more question on the registration page.
type ProfileAttribute struct {
	Name, DisplayName string
	// Required for users themselves.
	Required bool
}

// UserProfileStep gives the step of the realm's user profile. It needs the realm's step, which switches the profile on where
// that is needed.
func (r *Realm) UserProfileStep(p UserProfile, needs ...engine.ID) engine.Step {
	profile := &object{
		prefix: "profile.",
		read: func(ctx context.Context) (document, error) {
			raw, err := r.profile.Get(ctx)
			if err != nil {
				return nil, err
			}
			return byName(raw), nil
		},
		want:   func(ctx context.Context, seen document) (document, error) { return r.wantedProfile(ctx, p, seen) },
		update: r.updateProfile,
		forget: r.profile.Forget,
	}
	return engine.New(engine.ID("userprofile.keycloak/"+r.name), profile, append(needs, r.ID())...)
}

// readProfile gives the profile as the server shows it. Before 24 a realm whose profile is off answers 204, and a server that
// was started without the feature has no such thing.
func (r *Realm) readProfile(ctx context.Context) (document, error) {
	info, err := r.admin.ServerInfo(ctx)
	if err != nil {
		return nil, err
	}
	if !info.ProfileAvailable() {
		return nil, fmt.Errorf("keycloak %s checks no usernames: start it with --features=declarative-user-profile, or use 24 or later; "+
			"without it a name such as Bob.Smith gets no namespace", info.Version)
	}
	var raw document
	if err := r.admin.get(ctx, r.path("/users/profile"), &raw); err != nil {
		return nil, r.missing(err)
	}
	if raw == nil {
		return nil, &engine.NotYetError{After: r.ID(), Why: "the user profile of the realm is switched off"}
	}
	return raw, nil
}

func (r *Realm) wantedProfile(ctx context.Context, p UserProfile, seen document) (document, error) {
	info, err := r.admin.ServerInfo(ctx)
	if err != nil {
		return nil, err
	}
	username := document{"validations": document{
		"pattern": document{"pattern": UsernamePattern, "error-message": usernameMessage},
		"length":  document{"max": p.MaxUsername},
	}}
	// the rule stands below the field as well: where capitals are made small nobody is told of them
	annotations := document{"inputHelperTextAfter": usernameMessage}
	if info.Features.FoldsUsernames {
		annotations["inputTypePattern"] = usernameInput
	}
	username["annotations"] = annotations
	email, err := wantedEmail(p.EmailDomains, child(child(seen["attributes"])["email"]))
	if err != nil {
		return nil, err
	}
	attributes := document{"username": username, "email": email}
	for _, a := range p.Attributes {
		attributes[a.Name] = a.document()
	}
	want := document{"attributes": attributes}
	if p.UnmanagedAttributes != "" && info.Features.UnmanagedAttributes {
		want["unmanagedAttributePolicy"] = p.UnmanagedAttributes
	}
	return want, nil
}

func (a ProfileAttribute) document() document {
	d := document{
		"displayName": a.DisplayName,
		"permissions": document{"view": including{"admin", "user"}, "edit": including{"admin", "user"}},
		"required":    absent{},
	}
	if a.Required {
		d["required"] = document{"roles": including{"user"}}
	}
	return d
}

// updateProfile puts the whole profile back, attributes in the order in which they were, new ones last.
func (r *Realm) updateProfile(ctx context.Context, seen, want document) error {
	raw, err := r.profile.Get(ctx)
	if err != nil {
		return err
	}
	return r.admin.put(ctx, r.path("/users/profile"), inOrder(want.over(seen), raw))
}

// byName makes the profile's list of attributes a document, so that it can be compared by name.
func byName(raw document) document {
	attributes := document{}
	for _, attribute := range raw.list("attributes") {
		attributes[attribute.text("name")] = attribute
	}
	d := raw.without()
	d["attributes"] = attributes
	return d
}

// inOrder makes it a list again.
func inOrder(d, raw document) document {
	attributes := child(d["attributes"])
	var names []string
	for _, attribute := range raw.list("attributes") {
		names = append(names, attribute.text("name"))
	}
	var added []string
	for name := range attributes {
		if !slices.Contains(names, name) {
			added = append(added, name)
		}
	}
	slices.Sort(added)
	list := make([]document, 0, len(attributes))
	for _, name := range append(names, added...) {
		attribute := child(attributes[name]).without()
		attribute["name"] = name
		list = append(list, attribute)
	}
	out := d.without()
	out["attributes"] = list
	return out
}
