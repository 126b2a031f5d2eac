package s3

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// GroupsTag is the session tag that holds the names of a user's groups.
const GroupsTag = "groups"

// cephCaps are the capabilities of the user in whose name the provider and the role are made.
const cephCaps = "oidc-provider=*;roles=*"

// Ceph is what has to be done in a Ceph Object Gateway (RGW). It speaks AWS's API for providers and roles at its own
// endpoint, and differs in that ARNs carry a tenant or an RGW account, or nothing, where AWS has its account, the audience
// is called app_id, a thumbprint is asked for, a session tag may have several values, so that groups work
// (docs.ceph.com, radosgw: STS, session tags), and a variable in a policy's resource is not filled in ("do not yet support
// string interpolation", radosgw: bucket policies; ceph/ceph pull request 44434).
func (f Federation) Ceph(endpoint string) ([]Document, error) {
	issuer, err := url.Parse(f.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("issuer %q is not a URL", f.Issuer)
	}
	role, err := parseRole(f.RoleARN)
	if err != nil {
		return nil, fmt.Errorf("%w; for Ceph without an account: arn:aws:iam:::role/onyxia", err)
	}
	tenancy, refused := f.Tenancy.Usable()
	if len(refused) > 0 {
		return nil, refused[0]
	}
	if err := errors.Join(checkPrefixes(tenancy.UserPrefix, tenancy.GroupPrefix), checkTag(tenancy.UsernameClaim)); err != nil {
		return nil, err
	}
	provider := issuer.Host + strings.TrimRight(issuer.Path, "/")
	iam := "aws --endpoint-url " + endpoint + " iam "
	return []Document{
		{Note: "The gateway needs the options rgw_s3_auth_use_sts = true and rgw_sts_key (16 characters), and the user who makes the role needs capabilities:",
			Command: fmt.Sprintf("radosgw-admin caps add --uid=USER --caps=%q", cephCaps)},
		f.cephProvider(iam),
		{Note: "RGW reads name and groups from session tags in the token. " + f.tagsNote(f.cephTags())},
		f.cephTrust(provider, role, iam),
		f.cephPolicy(tenancy, role, iam),
		f.cephUser(tenancy, role, iam),
		f.uploads("aws --endpoint-url " + endpoint),
	}, nil
}

func (f Federation) cephProvider(iam string) Document {
	return Document{
		Name:    "oidc-provider.json",
		Content: pretty(map[string]any{"Url": strings.TrimRight(f.Issuer, "/"), "ClientIDList": []string{f.ClientID}}),
		Command: iam + "create-open-id-connect-provider --cli-input-json file://oidc-provider.json --thumbprint-list " + f.thumbprints(keyThumbprintsCommand(f.Issuer)),
		Note:    "The thumbprints are of the certificates of the keys that the issuer signs with (x5c). When it gets a new key, the provider needs the new thumbprint too." + f.unreached(),
	}
}

func (f Federation) cephTags() string {
	tags := map[string]any{f.Tenancy.UsernameClaim: []string{"alice"}, GroupsTag: []string{"group1", "group2"}}
	return string(compact(map[string]any{tagsClaim: map[string]any{"principal_tags": tags}}))
}

// cephTrust goes by the party that a token was issued to where tokens have several audiences, as those of our realm do.
func (f Federation) cephTrust(provider string, role roleARN, iam string) Document {
	key, note := ":app_id", fmt.Sprintf("app_id is compared with the claim aud; where the token has several, use %s:azp instead.", provider)
	if f.Mapped {
		key, note = ":azp", "The condition is about the claim azp: tokens of the realm have several audiences, and app_id is compared with one."
	}
	trust := Policy{Version: PolicyVersion, Statement: []Statement{{
		Effect:    Allow,
		Principal: map[string]List{"Federated": {fmt.Sprintf("arn:aws:iam::%s:oidc-provider/%s", role.account, provider)}},
		Action:    List{"sts:AssumeRoleWithWebIdentity", "sts:TagSession"},
		Condition: Condition{"StringEquals": {provider + key: {f.ClientID}}},
	}}}
	return Document{Name: "trust.json", Content: pretty(trust), Command: iam + role.create(f), Note: note}
}

// cephPolicy is for the users, if the gateway fills in their name, and for the groups.
func (f Federation) cephPolicy(tenancy Tenancy, role roleARN, iam string) Document {
	policy := Policy{Version: PolicyVersion, Statement: []Statement{
		{Effect: Allow, Action: List{"s3:*"}, Resource: bucketAndObjects(tenancy.UserPrefix + "${" + principalTag + tenancy.UsernameClaim + "}")},
	}}
	for _, group := range sorted(tenancy.Groups) {
		policy.Statement = append(policy.Statement, tagged("ForAnyValue:StringEquals", GroupsTag, group, tenancy.GroupPrefix+group))
	}
	return Document{
		Name: "policy.json", Content: pretty(policy),
		Command: fmt.Sprintf("%sput-role-policy --role-name %s --policy-name onyxia --policy-document file://policy.json", iam, role.name),
	}
}

// principalTag begins the condition key of a session tag.
const principalTag = "aws:PrincipalTag/"

// tagged opens a bucket to those who have a session tag of that value.
func tagged(operator, tag, value, bucket string) Statement {
	return Statement{Effect: Allow, Action: List{"s3:*"}, Resource: bucketAndObjects(bucket), Condition: Condition{operator: {principalTag + tag: {value}}}}
}

// cephUser is for one user, where the gateway fills nothing in.
func (f Federation) cephUser(tenancy Tenancy, role roleARN, iam string) Document {
	policy := Policy{Version: PolicyVersion, Statement: []Statement{
		tagged("StringEquals", tenancy.UsernameClaim, "alice", tenancy.UserPrefix+"alice"),
	}}
	return Document{
		Name: "user-policy.json", Content: pretty(policy),
		Command: fmt.Sprintf("%sput-role-policy --role-name %s --policy-name onyxia-alice --policy-document file://user-policy.json", iam, role.name),
		Note:    "RGW's documentation says that its policies fill in no ${...}, and the first statement of policy.json then opens nothing: the proof that kubectl onyxia s3 configure runs at the end shows it. In that case each user needs a policy of their own, as this one is for alice.",
	}
}
