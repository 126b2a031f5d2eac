package s3

import (
	"fmt"
	"net/url"
	"strings"
)

// groupsTag is the session tag that holds the names of a user's groups.
const groupsTag = "groups"

// cephCaps are the capabilities of the user in whose name the provider and the role are made.
const cephCaps = "oidc-provider=*;roles=*"

// Ceph is what has to be done in a Ceph Object Gateway (RGW). It speaks AWS's API for providers and roles at its own
// endpoint, and differs in that ARNs carry no account, the audience is called app_id, a thumbprint is asked for, and a
// session tag may have several values, so that groups work (docs.ceph.com, radosgw: STS, session tags).
func (f Federation) Ceph(endpoint string) ([]Document, error) {
	issuer, err := url.Parse(f.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("issuer %q is not a URL", f.Issuer)
	}
	role, err := f.cephRole()
	if err != nil {
		return nil, err
	}
	tenancy, refused := f.Tenancy.Usable()
	if len(refused) > 0 {
		return nil, refused[0]
	}
	if err := checkPrefixes(tenancy.UserPrefix, tenancy.GroupPrefix); err != nil {
		return nil, err
	}
	provider := issuer.Host + strings.TrimRight(issuer.Path, "/")
	iam := "aws --endpoint-url " + endpoint + " iam "
	return []Document{
		{Note: "The gateway needs the options rgw_s3_auth_use_sts = true and rgw_sts_key (16 characters), and the user who makes the role needs capabilities:",
			Command: fmt.Sprintf("radosgw-admin caps add --uid=USER --caps=%q", cephCaps)},
		{Name: "oidc-provider.json",
			Content: pretty(map[string]any{"Url": strings.TrimRight(f.Issuer, "/"), "ClientIDList": []string{f.ClientID}, "ThumbprintList": []string{"THUMBPRINT"}}),
			Command: iam + "create-open-id-connect-provider --cli-input-json file://oidc-provider.json",
			Note:    "THUMBPRINT is the SHA-1 fingerprint, without colons, of the certificate in x5c of the issuer's jwks_uri."},
		{Note: fmt.Sprintf("RGW reads name and groups from session tags in the token. Add mappers to client %s that put this into the access token: %s", f.ClientID, f.cephTags())},
		f.cephTrust(provider, role, iam),
		f.cephPolicy(tenancy, role, iam),
		{Note: "Not every release of RGW fills ${aws:PrincipalTag/...} into a resource: the proof that kubectl onyxia s3 configure runs at the end shows it."},
	}, nil
}

// cephRole is the role's name; Ceph's ARNs have no account: "arn:aws:iam:::role/onyxia".
func (f Federation) cephRole() (string, error) {
	role, err := parseRole(f.RoleARN)
	if err != nil {
		return "", fmt.Errorf("%w; for Ceph without an account: arn:aws:iam:::role/onyxia", err)
	}
	return role.name, nil
}

func (f Federation) cephTags() string {
	tags := map[string]any{f.Tenancy.UsernameClaim: []string{"alice"}, groupsTag: []string{"group1", "group2"}}
	return string(compact(map[string]any{tagsClaim: []any{map[string]any{"principal_tags": tags}}}))
}

func (f Federation) cephTrust(provider, role, iam string) Document {
	trust := Policy{Version: PolicyVersion, Statement: []Statement{{
		Effect:    Allow,
		Principal: map[string]List{"Federated": {"arn:aws:iam:::oidc-provider/" + provider}},
		Action:    List{"sts:AssumeRoleWithWebIdentity", "sts:TagSession"},
		Condition: Condition{"StringEquals": {provider + ":app_id": {f.ClientID}}},
	}}}
	return Document{
		Name: "trust.json", Content: pretty(trust),
		Command: fmt.Sprintf("%screate-role --role-name %s --assume-role-policy-document file://trust.json", iam, role),
		Note:    fmt.Sprintf("app_id is compared with the claim aud; where the token has several, use %s:azp instead.", provider),
	}
}

func (f Federation) cephPolicy(tenancy Tenancy, role, iam string) Document {
	tag := "aws:PrincipalTag/"
	policy := Policy{Version: PolicyVersion, Statement: []Statement{
		{Effect: Allow, Action: List{"s3:*"}, Resource: bucketAndObjects(tenancy.UserPrefix + "${" + tag + tenancy.UsernameClaim + "}")},
	}}
	for _, group := range sorted(tenancy.Groups) {
		policy.Statement = append(policy.Statement, Statement{
			Effect: Allow, Action: List{"s3:*"}, Resource: bucketAndObjects(tenancy.GroupPrefix + group),
			Condition: Condition{"ForAnyValue:StringEquals": {tag + groupsTag: {group}}},
		})
	}
	return Document{
		Name: "policy.json", Content: pretty(policy),
		Command: fmt.Sprintf("%sput-role-policy --role-name %s --policy-name onyxia --policy-document file://policy.json", iam, role),
	}
}
