package keycloak

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

func parse(t *testing.T, text string) document {
	t.Helper()
	var d document
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMerge(t *testing.T) {
	const seen = `{"id": "1", "accessTokenLifespan": 300, "registrationAllowed": false, "supportedLocales": ["de", "en"],
		"redirectUris": ["https://b", "https://a"], "attributes": {"theirs": "x", "ours": "old"}, "smtpServer": {"host": "h", "password": "**********"}}`
	for name, c := range map[string]struct {
		want    document
		fields  []engine.Field
		changed string
	}{
		"nothing wanted": {want: document{}, changed: `{}`},
		"as wanted": {want: document{"accessTokenLifespan": 300, "registrationAllowed": false, "supportedLocales": including{"en"},
			"redirectUris": set{"https://a", "https://b"}, "attributes": document{"ours": "old"}}, changed: `{}`},
		"one field": {want: document{"accessTokenLifespan": 600, "registrationAllowed": false},
			fields:  []engine.Field{{Path: "realm.accessTokenLifespan", From: "300", To: "600"}},
			changed: `{"accessTokenLifespan": 600}`},
		"a list keeps theirs": {want: document{"supportedLocales": including{"en", "fr"}},
			fields:  []engine.Field{{Path: "realm.supportedLocales", From: "de,en", To: "de,en,fr"}},
			changed: `{"supportedLocales": ["de", "en", "fr"]}`},
		"an exact list does not": {want: document{"redirectUris": set{"https://a"}},
			fields:  []engine.Field{{Path: "realm.redirectUris", From: "https://a,https://b", To: "https://a"}},
			changed: `{"redirectUris": ["https://a"]}`},
		"an empty exact list is not null": {want: document{"redirectUris": set(nil)},
			fields:  []engine.Field{{Path: "realm.redirectUris", From: "https://a,https://b"}},
			changed: `{"redirectUris": []}`},
		"a document goes whole": {want: document{"attributes": document{"ours": "new", "more": "y"}},
			fields:  []engine.Field{{Path: "realm.attributes.more", To: "y"}, {Path: "realm.attributes.ours", From: "old", To: "new"}},
			changed: `{"attributes": {"theirs": "x", "ours": "new", "more": "y"}}`},
		"something of ours goes": {want: document{"attributes": document{"ours": absent{}}},
			fields:  []engine.Field{{Path: "realm.attributes.ours", From: "old"}},
			changed: `{"attributes": {"theirs": "x"}}`},
		"a secret is not shown": {want: document{"secret": hidden{secret.New("s")}},
			fields:  []engine.Field{{Path: "realm.secret", Secret: true}},
			changed: `{"secret": "s"}`},
		"a masked password goes with its neighbours": {want: document{"smtpServer": document{"host": "other", "password": written{password: "p", known: true}}},
			fields:  []engine.Field{{Path: "realm.smtpServer.host", From: "h", To: "other"}},
			changed: `{"smtpServer": {"host": "other", "password": "p"}}`},
		"a masked password that is known is no difference": {want: document{"smtpServer": document{"host": "h", "password": written{password: "p", known: true}}}, changed: `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			before := parse(t, seen)
			if diff := cmp.Diff(c.fields, c.want.differences("realm.", before)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			encoded, err := json.Marshal(c.want.changed(before))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parse(t, c.changed), parse(t, string(encoded))); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(parse(t, seen), before); diff != "" {
				t.Errorf("what was seen was written to (-before +after):\n%s", diff)
			}
		})
	}
}

func TestProfileKeepsOrderAndTheirs(t *testing.T) {
	raw := parse(t, `{"attributes": [{"name": "username", "validations": {"length": {"min": 3, "max": 255}, "theirs": {}}}, {"name": "theirs"}, {"name": "email"}], "groups": [{"name": "g"}]}`)
	want := document{"attributes": document{"username": document{"validations": document{"length": document{"max": 58}}}, "team": document{"displayName": "Team"}}}
	got, err := json.Marshal(inOrder(want.over(byName(raw)), raw))
	if err != nil {
		t.Fatal(err)
	}
	diff := cmp.Diff(parse(t, `{"attributes": [{"name": "username", "validations": {"length": {"min": 3, "max": 58}, "theirs": {}}}, {"name": "theirs"}, {"name": "email"},
		{"name": "team", "displayName": "Team"}], "groups": [{"name": "g"}]}`), parse(t, string(got)))
	if diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFindAction(t *testing.T) {
	list := []document{{"alias": "terms_and_conditions"}, {"alias": "VERIFY_EMAIL"}}
	for alias, want := range map[string]string{"terms_and_conditions": "terms_and_conditions", "TERMS_AND_CONDITIONS": "terms_and_conditions", "verify_email": "VERIFY_EMAIL", "x": ""} {
		if got := findAction(list, alias).text("alias"); got != want {
			t.Errorf("%s: %q", alias, got)
		}
	}
	both := append(list, document{"alias": "TERMS_AND_CONDITIONS"})
	if got := findAction(both, "TERMS_AND_CONDITIONS").text("alias"); got != "TERMS_AND_CONDITIONS" {
		t.Errorf("of both spellings: %s", got)
	}
}
