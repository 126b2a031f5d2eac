package s3

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func federation(groups ...string) Federation {
	return Federation{
		Tenancy: guide(groups...), Issuer: "https://auth.lab.example.org/auth/realms/datalab", ClientID: "onyxia-minio",
		RoleARN: "arn:aws:iam::123456789012:role/onyxia", Duration: 24 * time.Hour,
	}
}

// find gives the document of that name, whose content has to be JSON.
func find(t *testing.T, documents []Document, name string) Document {
	t.Helper()
	for _, d := range documents {
		if d.Name != name {
			continue
		}
		if !json.Valid([]byte(d.Content)) || !strings.Contains(d.Command, "file://"+name) {
			t.Errorf("%s is no JSON, or its command does not use it: %+v", name, d)
		}
		return d
	}
	t.Fatalf("no document %s", name)
	return Document{}
}

// Documents of both servers, as a person gets them. The shapes are AWS's: IAM user guide, "Create a role for OpenID Connect
// federation", "Pass session tags in AWS STS", "IAM and AWS STS condition context keys" (a provider's keys are its URL without
// the scheme, a colon, and the claim: aud, sub, amr); API reference of CreateOpenIDConnectProvider (a thumbprint is optional)
// and of CreateRole. Ceph's are those of docs.ceph.com, radosgw: "STS in Ceph", "Session tags", and of ceph/ceph,
// src/rgw/rgw_rest_sts.cc (claims aud and azp, tags as an object or a list) and rgw_rest_role.cc (Path, MaxSessionDuration).
func TestFederationDocuments(t *testing.T) {
	const keycloak, role = "auth.lab.example.org/auth/realms/datalab", "arn:aws:iam::123456789012:role/onyxia"
	trust := func(principal, key string) string {
		return `{"Effect":"Allow","Principal":{"Federated":["` + principal + `"]},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],` +
			`"Condition":{"StringEquals":{"` + key + `":["onyxia-minio"]}}}`
	}
	bucket := func(name, condition string) string {
		return `{"Effect":"Allow","Action":["s3:*"],"Resource":["` + name + `","` + name + `/*"]` + condition + `}`
	}
	ceph := func(f Federation) ([]Document, error) { return f.Ceph("https://rgw.example.org") }
	for name, tc := range map[string]struct {
		make     func(Federation) ([]Document, error)
		change   func(*Federation)
		document string
		content  []string
		command  string
	}{
		"AWS, provider": {Federation.AWS, nil, "oidc-provider.json", []string{`{"ClientIDList":["onyxia-minio"],"Url":"https://` + keycloak + `"}`},
			"aws iam create-open-id-connect-provider --cli-input-json file://oidc-provider.json --thumbprint-list $(openssl s_client -showcerts -servername auth.lab.example.org -connect auth.lab.example.org:443"},
		"AWS, provider, reached": {Federation.AWS, func(f *Federation) { f.Thumbprints = []string{"ab12"} }, "oidc-provider.json", []string{`{"ClientIDList":["onyxia-minio"],"Url":"https://` + keycloak + `"}`},
			"file://oidc-provider.json --thumbprint-list ab12"},
		"AWS, trust": {Federation.AWS, nil, "trust.json", []string{trust("arn:aws:iam::123456789012:oidc-provider/"+keycloak, keycloak+":aud")},
			// 24 hours were asked for; a role gives 12 at most.
			"aws iam create-role --role-name onyxia --assume-role-policy-document file://trust.json --max-session-duration 43200"},
		"AWS, trust, an issuer without a path": {Federation.AWS, func(f *Federation) { f.Issuer = "https://login.example.org/" }, "trust.json",
			[]string{trust("arn:aws:iam::123456789012:oidc-provider/login.example.org", "login.example.org:aud")}, "file://trust.json"},
		"AWS, trust, an issuer with a port": {Federation.AWS, func(f *Federation) { f.Issuer = "https://login.example.org:8443/realms/a" }, "trust.json",
			[]string{trust("arn:aws:iam::123456789012:oidc-provider/login.example.org:8443/realms/a", "login.example.org:8443/realms/a:aud")}, "file://trust.json"},
		"AWS in China, a role with a path, an hour": {Federation.AWS, func(f *Federation) {
			f.RoleARN, f.Duration = "arn:aws-cn:iam::123456789012:role/team/data/onyxia-users", time.Minute
		}, "trust.json", []string{trust("arn:aws-cn:iam::123456789012:oidc-provider/"+keycloak, keycloak+":aud")},
			"create-role --role-name onyxia-users --path /team/data/ --assume-role-policy-document file://trust.json --max-session-duration 3600"},
		"AWS, policy": {Federation.AWS, nil, "policy.json", []string{
			bucket("arn:aws:s3:::user-${aws:PrincipalTag/preferred_username}", ""),
			`{"Effect":"Deny","Action":["s3:*"],"Resource":["*"],"Condition":{"StringLike":{"aws:PrincipalTag/preferred_username":["*/*"]}}}`,
		}, "aws iam put-role-policy --role-name onyxia --policy-name onyxia --policy-document file://policy.json"},
		"AWS in China, policy, by another claim": {Federation.AWS, func(f *Federation) {
			f.RoleARN, f.Tenancy.UsernameClaim, f.Tenancy.UserPrefix = "arn:aws-cn:iam::1:role/team/x", "sub", "u-"
		}, "policy.json", []string{
			bucket("arn:aws-cn:s3:::u-${aws:PrincipalTag/sub}", ""),
			`{"Effect":"Deny","Action":["s3:*"],"Resource":["*"],"Condition":{"StringLike":{"aws:PrincipalTag/sub":["*/*"]}}}`,
		}, "put-role-policy --role-name x --policy-name"},
		"AWS, uploads": {Federation.AWS, nil, "lifecycle.json",
			[]string{`{"Rules":[{"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":7},"Filter":{"Prefix":""},"ID":"onyxia-unfinished-uploads","Status":"Enabled"}]}`},
			"aws s3api put-bucket-lifecycle-configuration --bucket user-alice --lifecycle-configuration file://lifecycle.json"},
		"Ceph, uploads": {ceph, nil, "lifecycle.json",
			[]string{`{"Rules":[{"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":7},"Filter":{"Prefix":""},"ID":"onyxia-unfinished-uploads","Status":"Enabled"}]}`},
			"aws --endpoint-url https://rgw.example.org s3api put-bucket-lifecycle-configuration --bucket user-alice"},

		"Ceph, provider": {ceph, nil, "oidc-provider.json", []string{`{"ClientIDList":["onyxia-minio"],"Url":"https://` + keycloak + `"}`},
			`--thumbprint-list $(curl -s "$(curl -s https://` + keycloak + `/.well-known/openid-configuration | jq -r .jwks_uri)"`},
		"Ceph, provider, reached": {ceph, func(f *Federation) { f.Thumbprints = []string{"ab12", "cd34"} }, "oidc-provider.json", []string{`{"ClientIDList":["onyxia-minio"],"Url":"https://` + keycloak + `"}`},
			"aws --endpoint-url https://rgw.example.org iam create-open-id-connect-provider --cli-input-json file://oidc-provider.json --thumbprint-list ab12 cd34"},
		"Ceph, trust, tokens for several": {ceph, func(f *Federation) { f.Mapped = true }, "trust.json",
			[]string{trust("arn:aws:iam::123456789012:oidc-provider/"+keycloak, keycloak+":azp")}, "file://trust.json"},
		"Ceph, trust, as it documents it": {ceph, func(f *Federation) {
			f.RoleARN, f.Issuer = "arn:aws:iam:::role/onyxia", "http://localhost:8080/auth/realms/quickstart"
		}, "trust.json", []string{trust("arn:aws:iam:::oidc-provider/localhost:8080/auth/realms/quickstart", "localhost:8080/auth/realms/quickstart:app_id")},
			"aws --endpoint-url https://rgw.example.org iam create-role --role-name onyxia --assume-role-policy-document file://trust.json --max-session-duration 43200"},
		"Ceph, trust, of a tenant": {ceph, func(f *Federation) { f.RoleARN = "arn:aws:iam::t1:role/onyxia" }, "trust.json",
			[]string{trust("arn:aws:iam::t1:oidc-provider/"+keycloak, keycloak+":app_id")}, "file://trust.json"},
		"Ceph, policy": {ceph, nil, "policy.json", []string{
			bucket("arn:aws:s3:::user-${aws:PrincipalTag/preferred_username}", ""),
			bucket("arn:aws:s3:::projet-group1", `,"Condition":{"ForAnyValue:StringEquals":{"aws:PrincipalTag/groups":["group1"]}}`),
			bucket("arn:aws:s3:::projet-group2", `,"Condition":{"ForAnyValue:StringEquals":{"aws:PrincipalTag/groups":["group2"]}}`),
		}, "put-role-policy --role-name onyxia --policy-name onyxia --policy-document file://policy.json"},
		"Ceph, one user": {ceph, nil, "user-policy.json", []string{
			bucket("arn:aws:s3:::user-alice", `,"Condition":{"StringEquals":{"aws:PrincipalTag/preferred_username":["alice"]}}`),
		}, "put-role-policy --role-name onyxia --policy-name onyxia-alice --policy-document file://user-policy.json"},
	} {
		t.Run(name, func(t *testing.T) {
			f := federation("group2", "group1")
			if f.RoleARN != role {
				t.Fatal(f.RoleARN)
			}
			if tc.change != nil {
				tc.change(&f)
			}
			documents, err := tc.make(f)
			if err != nil {
				t.Fatal(err)
			}
			d := find(t, documents, tc.document)
			if got := contents(t, d); !slices.Equal(got, tc.content) {
				t.Errorf("content\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.content, "\n"))
			}
			if !strings.Contains(d.Command, tc.command) {
				t.Errorf("command %s\nwant %s", d.Command, tc.command)
			}
		})
	}
}

// contents are the statements of a policy, or the whole of another document, one line each.
func contents(t *testing.T, d Document) (list []string) {
	t.Helper()
	if strings.Contains(d.Name, "policy") || d.Name == "trust.json" {
		for _, s := range parse(t, d.Content).Statement {
			list = append(list, s.Canonical())
		}
		return list
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(d.Content)); err != nil {
		t.Fatal(err)
	}
	return []string{b.String()}
}

// What is to be read: who puts the tags into tokens, and what cannot be had.
func TestFederationNotes(t *testing.T) {
	notes := func(documents []Document, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, d := range documents {
			text += d.Note + "\n"
		}
		return text
	}
	ours, theirs := federation("group1"), federation("group1")
	ours.Mapped = true
	const name, both = `{"https://aws.amazon.com/tags":{"principal_tags":{"preferred_username":["alice"]}}}`, `{"https://aws.amazon.com/tags":{"principal_tags":{"groups":["group1","group2"],"preferred_username":["alice"]}}}`
	for what, tc := range map[string]struct {
		text string
		want []string
	}{
		"AWS, a realm of ours":  {notes(ours.AWS()), []string{"AWS ignores it where that leads to a public authority", "Client onyxia-minio of the realm puts them there: " + name, "Group buckets", "claim azp where a token has one"}},
		"AWS":                   {notes(theirs.AWS()), []string{"Add mappers to client onyxia-minio that put this into the access token: " + name}},
		"Ceph, a realm of ours": {notes(ours.Ceph("https://rgw.example.org")), []string{"Client onyxia-minio of the realm puts them there: " + both, "rgw_s3_auth_use_sts", "fill in no ${...}"}},
		"Ceph":                  {notes(theirs.Ceph("https://rgw.example.org")), []string{"Add mappers to client onyxia-minio that put this into the access token: " + both}},
	} {
		for _, want := range tc.want {
			if !strings.Contains(tc.text, want) {
				t.Errorf("%s: no note %q in\n%s", what, want, tc.text)
			}
		}
	}
}

func TestFederationThatMakesNoSense(t *testing.T) {
	for want, change := range map[string]func(*Federation){
		"is no role":          func(f *Federation) { f.RoleARN = "onyxia" },
		"names no role":       func(f *Federation) { f.RoleARN = "arn:aws:iam::123456789012:role/" },
		"https:// issuers":    func(f *Federation) { f.Issuer = "http://auth.lab.example.org" },
		"AWS takes https://":  func(f *Federation) { f.Issuer = "" },
		"prefixes.user is em": func(f *Federation) { f.Tenancy.UserPrefix = "" },
		"no session tag":      func(f *Federation) { f.Tenancy.UsernameClaim = "a/b" },
		"an e-mail address":   func(f *Federation) { f.Tenancy.UsernameClaim = "email" },
	} {
		f := federation()
		change(&f)
		if _, err := f.AWS(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("AWS: %v, want %q", err, want)
		}
	}
	for want, change := range map[string]func(*Federation){
		"for Ceph without an account": func(f *Federation) { f.RoleARN = "" },
		"is not a URL":                func(f *Federation) { f.Issuer = "auth" },
		"begin alike":                 func(f *Federation) { f.Tenancy.GroupPrefix = "user-" },
		"no session tag":              func(f *Federation) { f.Tenancy.UsernameClaim = "a b" },
		"can have no bucket":          func(f *Federation) { f.Tenancy.Groups = []string{"*"} },
	} {
		f := federation()
		change(&f)
		if _, err := f.Ceph("https://rgw.example.org"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Ceph: %v, want %q", err, want)
		}
	}
}
