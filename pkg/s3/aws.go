package s3

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Document is something to be done elsewhere by a person: a file, the command that uses it, and what to know about it.
type Document struct {
	// Name of the file: "trust.json"; empty when there is only something to say.
	Name string
	// Content of the file.
	Content string
	// Command that uses the file, for a shell.
	Command string
	// Note is for reading.
	Note string
}

// Federation is the trust that an S3 server with roles (AWS, Ceph) has to have in the issuer.
type Federation struct {
	Tenancy Tenancy
	// Issuer is the issuer's URL, as tokens have it in "iss".
	Issuer string
	// ClientID that tokens are for: platform.S3ClientID.
	ClientID string
	// RoleARN is the role that users take: "arn:aws:iam::123456789012:role/onyxia".
	RoleARN string
	// Duration of the credentials.
	Duration time.Duration
	// Thumbprints of the issuer, as the server wants them: CertificateThumbprint for AWS, KeyThumbprints for Ceph. Unreached is why
	// there are none; then the command that finds them is printed.
	Thumbprints []string
	Unreached   error
	// Mapped says that the issuer puts session tags into tokens already: a realm that we configure does.
	Mapped bool
}

// tagsClaim is where AWS STS looks for session tags in a token (IAM user guide, "Passing session tags using
// AssumeRoleWithWebIdentity"); Ceph does too.
const tagsClaim = "https://aws.amazon.com/tags"

// The limits of AWS and Ceph for the longest session of a role (IAM API reference, CreateRole; Ceph, src/rgw/rgw_role.h).
const (
	minRoleDuration = time.Hour
	maxRoleDuration = 12 * time.Hour
)

// roleARN is an IAM role's name taken apart. The path is empty, or begins and ends with a slash.
type roleARN struct{ partition, account, path, name string }

func parseRole(text string) (roleARN, error) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") {
		return roleARN{}, fmt.Errorf("s3.roleARN %q is no role; it looks like arn:aws:iam::123456789012:role/onyxia", text)
	}
	at := strings.LastIndex(parts[5], "/")
	role := roleARN{partition: parts[1], account: parts[4], path: strings.TrimPrefix(parts[5][:at+1], "role"), name: parts[5][at+1:]}
	if role.path == "/" {
		role.path = ""
	}
	if role.name == "" {
		return roleARN{}, fmt.Errorf("s3.roleARN %q names no role", text)
	}
	return role, nil
}

// create are the arguments of create-role that make the role of that ARN.
func (r roleARN) create(f Federation) string {
	text := "create-role --role-name " + r.name
	if r.path != "" {
		text += " --path " + r.path
	}
	return fmt.Sprintf("%s --assume-role-policy-document file://trust.json --max-session-duration %d", text, f.roleSeconds())
}

// provider is the issuer's URL as IAM names it: without the scheme.
func (f Federation) provider() (string, error) {
	u, err := url.Parse(f.Issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("issuer %q: AWS takes https:// issuers only, reachable from the internet", f.Issuer)
	}
	return u.Host + strings.TrimRight(u.Path, "/"), nil
}

// AWS is what has to be done in an AWS account so that a token buys credentials for the user's own bucket.
func (f Federation) AWS() ([]Document, error) {
	role, err := parseRole(f.RoleARN)
	if err != nil {
		return nil, err
	}
	provider, err := f.provider()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkPrefixes(f.Tenancy.UserPrefix, f.Tenancy.GroupPrefix), checkTag(f.Tenancy.UsernameClaim)); err != nil {
		return nil, err
	}
	return []Document{
		f.awsProvider(),
		{Note: "AWS reads the user's name from session tags in the token. " + f.tagsNote(f.sampleTags())},
		f.awsTrust(role, provider),
		f.awsPolicy(role),
		{Note: "Group buckets: AWS takes one value for each session tag, so a token cannot say several groups. Give each group a role of its own, or keep groups on MinIO or Ceph."},
		f.uploads("aws"),
	}, nil
}

// unfinished is how many days the parts of an upload are kept that nobody finishes.
const unfinished = 7

// uploads ends unfinished uploads, which MinIO does by itself.
func (f Federation) uploads(aws string) Document {
	rules := map[string]any{"Rules": []any{map[string]any{
		"ID": "onyxia-unfinished-uploads", "Status": "Enabled", "Filter": map[string]any{"Prefix": ""},
		"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": unfinished},
	}}}
	return Document{
		Name: "lifecycle.json", Content: pretty(rules),
		Command: fmt.Sprintf("%s s3api put-bucket-lifecycle-configuration --bucket %salice --lifecycle-configuration file://lifecycle.json", aws, f.Tenancy.UserPrefix),
		Note: "For each bucket, here for that of alice: the parts of uploads that nobody finished stay, and take room or money, until such a rule removes them. " +
			"The command replaces the rules that a bucket has.",
	}
}

// tagsNote says who puts the tags there.
func (f Federation) tagsNote(sample string) string {
	if f.Mapped {
		return fmt.Sprintf("Client %s of the realm puts them there: %s", f.ClientID, sample)
	}
	return fmt.Sprintf("Add mappers to client %s that put this into the access token: %s", f.ClientID, sample)
}

func (f Federation) awsProvider() Document {
	return Document{
		Name:    "oidc-provider.json",
		Content: pretty(map[string]any{"Url": strings.TrimRight(f.Issuer, "/"), "ClientIDList": []string{f.ClientID}}),
		Command: "aws iam create-open-id-connect-provider --cli-input-json file://oidc-provider.json --thumbprint-list " + f.thumbprints(certificateThumbprintCommand(f.Issuer)),
		Note: "The thumbprint is of the last certificate that the issuer's address shows. AWS ignores it where that leads to a public authority that it knows, and goes by it for others." +
			f.unreached(),
	}
}

// thumbprints are those of the issuer, or the command that finds them.
func (f Federation) thumbprints(command string) string {
	if len(f.Thumbprints) > 0 {
		return strings.Join(f.Thumbprints, " ")
	}
	return "$(" + command + ")"
}

// unreached says why a command stands in the place of the thumbprints.
func (f Federation) unreached() string {
	if f.Unreached == nil {
		return ""
	}
	return fmt.Sprintf(" It could not be found from here (%s), so the command below looks for it.", f.Unreached)
}

// sampleTags is the claim for an invented user.
func (f Federation) sampleTags() string {
	return string(compact(map[string]any{tagsClaim: map[string]any{"principal_tags": map[string]any{f.Tenancy.UsernameClaim: []string{"alice"}}}}))
}

func (f Federation) awsTrust(role roleARN, provider string) Document {
	trust := Policy{Version: PolicyVersion, Statement: []Statement{{
		Effect:    Allow,
		Principal: map[string]List{"Federated": {fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", role.partition, role.account, provider)}},
		Action:    List{"sts:AssumeRoleWithWebIdentity", "sts:TagSession"},
		Condition: Condition{"StringEquals": {provider + ":aud": {f.ClientID}}},
	}}}
	return Document{
		Name: "trust.json", Content: pretty(trust),
		Command: "aws iam " + role.create(f),
		Note: "A role's session lasts between one hour and twelve; s3.sessionDuration may not ask for more. The condition is about the claim azp where a token has one, else about aud: both have to be " +
			f.ClientID + ".",
	}
}

func (f Federation) roleSeconds() int {
	return int(min(max(f.Duration, minRoleDuration), maxRoleDuration) / time.Second)
}

// awsPolicy gives the bucket with the user's name. A session tag holds letters, digits, spaces and _.:/=+-@ only, so a name
// with a wildcard is refused by STS; a slash is not, hence the Deny.
func (f Federation) awsPolicy(role roleARN) Document {
	bucket := fmt.Sprintf("arn:%s:s3:::%s${aws:PrincipalTag/%s}", role.partition, f.Tenancy.UserPrefix, f.Tenancy.UsernameClaim)
	policy := Policy{Version: PolicyVersion, Statement: []Statement{
		{Sid: "OwnBucket", Effect: Allow, Action: List{"s3:*"}, Resource: List{bucket, bucket + "/*"}},
		{
			Sid: "NoHostileNames", Effect: Deny, Action: List{"s3:*"}, Resource: List{"*"},
			Condition: Condition{"StringLike": {"aws:PrincipalTag/" + f.Tenancy.UsernameClaim: {"*/*"}}},
		},
	}}
	return Document{
		Name: "policy.json", Content: pretty(policy),
		Command: fmt.Sprintf("aws iam put-role-policy --role-name %s --policy-name onyxia --policy-document file://policy.json", role.name),
		Note:    "Names of buckets are shared by all accounts of AWS: a short user prefix may meet a bucket of somebody else's. Allow the Onyxia host in the CORS rules of the buckets.",
	}
}

// pretty is JSON for people; <, > and & are not escaped.
func pretty(v any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return ""
	}
	return b.String()
}
