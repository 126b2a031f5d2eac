package s3

import (
	"encoding/json"
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

// The shapes are those of the IAM user guide: "Create a role for OpenID Connect federation", "Passing session tags using
// AssumeRoleWithWebIdentity", and the API reference of CreateOpenIDConnectProvider.
func TestAWS(t *testing.T) {
	documents, err := federation("group1").AWS()
	if err != nil {
		t.Fatal(err)
	}
	provider := find(t, documents, "oidc-provider.json")
	if !strings.Contains(provider.Content, `"Url": "https://auth.lab.example.org/auth/realms/datalab"`) || strings.Contains(provider.Content, "Thumbprint") {
		t.Errorf("provider %s", provider.Content)
	}
	trust := find(t, documents, "trust.json")
	want := `{"Effect":"Allow","Principal":{"Federated":["arn:aws:iam::123456789012:oidc-provider/auth.lab.example.org/auth/realms/datalab"]},` +
		`"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],"Condition":{"StringEquals":{"auth.lab.example.org/auth/realms/datalab:aud":["onyxia-minio"]}}}`
	if got := parse(t, trust.Content).Statement[0].Canonical(); got != want {
		t.Errorf("trust\n%s\nwant\n%s", got, want)
	}
	// 24 hours were asked for; a role gives 12 at most.
	if !strings.Contains(trust.Command, "--role-name onyxia ") || !strings.Contains(trust.Command, "--max-session-duration 43200") {
		t.Errorf("command %s", trust.Command)
	}
	policy := parse(t, find(t, documents, "policy.json").Content)
	if got := policy.Statement[0].Resource; len(got) != 2 || got[0] != "arn:aws:s3:::user-${aws:PrincipalTag/preferred_username}" || got[1] != got[0]+"/*" {
		t.Errorf("resources %q", got)
	}
	if len(policy.Statement) != 2 || policy.Statement[1].Effect != Deny {
		t.Errorf("statements %v", policy.Statement)
	}
	notes := ""
	for _, d := range documents {
		notes += d.Note + "\n"
	}
	for _, want := range []string{"No thumbprint is needed", `{"https://aws.amazon.com/tags":{"principal_tags":{"preferred_username":["alice"]}}}`, "Group buckets"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in\n%s", want, notes)
		}
	}
}

func TestAWSElsewhere(t *testing.T) {
	f := federation()
	f.RoleARN, f.Duration = "arn:aws-cn:iam::123456789012:role/team/onyxia-users", time.Minute
	documents, err := f.AWS()
	if err != nil {
		t.Fatal(err)
	}
	if trust := find(t, documents, "trust.json"); !strings.Contains(trust.Content, "arn:aws-cn:iam::123456789012:oidc-provider/") || !strings.Contains(trust.Command, "--role-name onyxia-users ") || !strings.Contains(trust.Command, "3600") {
		t.Errorf("trust %+v", trust)
	}
	if policy := find(t, documents, "policy.json"); !strings.Contains(policy.Content, "arn:aws-cn:s3:::user-") {
		t.Errorf("policy %s", policy.Content)
	}
	if got := AWSTokenService("eu-west-3"); got != "https://sts.eu-west-3.amazonaws.com" {
		t.Errorf("STS at %s", got)
	}
}

func TestFederationThatMakesNoSense(t *testing.T) {
	for want, change := range map[string]func(*Federation){
		"is no role":          func(f *Federation) { f.RoleARN = "onyxia" },
		"names no role":       func(f *Federation) { f.RoleARN = "arn:aws:iam::123456789012:role/" },
		"https:// issuers":    func(f *Federation) { f.Issuer = "http://auth.lab.example.org" },
		"AWS takes https://":  func(f *Federation) { f.Issuer = "" },
		"prefixes.user is em": func(f *Federation) { f.Tenancy.UserPrefix = "" },
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
		"can have no bucket":          func(f *Federation) { f.Tenancy.Groups = []string{"*"} },
	} {
		f := federation()
		change(&f)
		if _, err := f.Ceph("https://rgw.example.org"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Ceph: %v, want %q", err, want)
		}
	}
}

// The shapes are those of docs.ceph.com, radosgw: "STS in Ceph" and "Session tags".
func TestCeph(t *testing.T) {
	f := federation("group2", "group1")
	f.RoleARN, f.Issuer = "arn:aws:iam:::role/onyxia", "http://localhost:8080/auth/realms/quickstart"
	documents, err := f.Ceph("https://rgw.example.org")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Effect":"Allow","Principal":{"Federated":["arn:aws:iam:::oidc-provider/localhost:8080/auth/realms/quickstart"]},` +
		`"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],"Condition":{"StringEquals":{"localhost:8080/auth/realms/quickstart:app_id":["onyxia-minio"]}}}`
	if got := parse(t, find(t, documents, "trust.json").Content).Statement[0].Canonical(); got != want {
		t.Errorf("trust\n%s\nwant\n%s", got, want)
	}
	policy := parse(t, find(t, documents, "policy.json").Content)
	if len(policy.Statement) != 3 || policy.Statement[1].Condition["ForAnyValue:StringEquals"]["aws:PrincipalTag/groups"][0] != "group1" {
		t.Errorf("policy %v", policy)
	}
	if provider := find(t, documents, "oidc-provider.json"); !strings.Contains(provider.Content, "ThumbprintList") || !strings.HasPrefix(provider.Command, "aws --endpoint-url https://rgw.example.org iam ") {
		t.Errorf("provider %+v", provider)
	}
}
