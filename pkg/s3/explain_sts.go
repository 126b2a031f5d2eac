package s3

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// refusal is one way in which STS says no: words of the server, and ours about this token.
type refusal struct {
	code  string
	holds string
	say   func(evidence) (cause, fix string)
}

// evidence is what a refusal is explained from: the token, and what time it is here and at the server.
type evidence struct {
	Token
	here, there time.Time
}

// clocks says both times.
func (v evidence) clocks() string {
	if v.there.IsZero() {
		return fmt.Sprintf("this machine's clock says %s", stamp(v.here))
	}
	return fmt.Sprintf("the S3 server's clock says %s, this machine's %s", stamp(v.there), stamp(v.here))
}

// refusals are the ways in which MinIO, AWS and Ceph say no. MinIO says almost everything as InvalidParameterValue, so the
// message decides (cmd/sts-handlers.go, internal/config/identity/openid/jwt.go, seen on a running server).
func refusals() []refusal {
	return []refusal{
		{holds: "role/dummy-internal does not exist", say: noProvider},
		{holds: "claim missing from the JWT token, credentials", say: noPolicyClaim},
		{holds: "None of the given policies", say: undefinedPolicy},
		{holds: "is expired", say: expired},
		{code: "ExpiredTokenException", say: expired},
		{code: "ExpiredToken", say: expired},
		{holds: "not valid yet", say: early},
		{holds: "used before issued", say: early},
		{holds: "must match configured OpenID Client ID", say: wrongAudience},
		{holds: "Incorrect token audience", say: wrongAudience},
		{holds: "`sub` claim missing", say: noSubject},
		{holds: "verification error", say: wrongKey},
		{holds: "signature is invalid", say: wrongKey},
		{holds: "dial tcp", say: noIssuer},
		{holds: "x509:", say: untrustedIssuer},
		{holds: "/.well-known/", say: noIssuer},
		{holds: "502 Bad Gateway", say: noKeys},
		{holds: "503 Service Unavailable", say: noKeys},
		{holds: "504 Gateway Timeout", say: noKeys},
		{holds: "404 Not Found", say: noKeys},
		{code: "IDPCommunicationError", say: noIssuer},
		{code: "AccessDenied", say: distrusted},
	}
}

// explainSTS adds cause and fix to a refusal of STS.
func explainSTS(err error, w WebIdentity) error {
	var e *Error
	if !errors.As(err, &e) || e.Status == 0 {
		return err
	}
	t, unreadable := ReadToken(w.Token)
	if unreadable != nil {
		e.Cause, e.Fix = unreadable.Error(), "send an access token of the issuer"
		return err
	}
	for _, r := range refusals() {
		if (r.code != "" && r.code == e.Code) || (r.holds != "" && strings.Contains(e.Message, r.holds)) {
			e.Cause, e.Fix = r.say(evidence{Token: t, here: time.Now(), there: e.there})
			return err
		}
	}
	return err
}

// noProvider: MinIO's name for the provider whose tokens say by a claim what they open is that of a role which nobody has made.
func noProvider(evidence) (string, string) {
	return "this MinIO trusts no issuer by a claim", "`kubectl onyxia s3 configure` prints the command by which one that others run learns to"
}

func noPolicyClaim(v evidence) (string, string) {
	return fmt.Sprintf("the access token of client %s carries no claim \"policy\"", v.Party),
		"the client needs a mapper for it, in the access token: kubectl onyxia s3 configure makes it"
}

func undefinedPolicy(v evidence) (string, string) {
	return fmt.Sprintf("the token names the policy %s, and MinIO has none of that name", strings.Join(v.Policy, ", ")),
		"kubectl onyxia s3 configure writes it; somebody may have removed it by hand"
}

func expired(v evidence) (string, string) {
	return fmt.Sprintf("the token was good until %s; %s", stamp(v.Expires), v.clocks()),
		"get a new token; if it is new, compare the clocks of issuer and S3 server"
}

func early(v evidence) (string, string) {
	return fmt.Sprintf("the token was issued at %s, which is yet to come for the server; %s", stamp(v.Issued), v.clocks()),
		"set the clocks of issuer and S3 server (NTP)"
}

func wrongAudience(v evidence) (string, string) {
	return fmt.Sprintf("the token is for [%s] and was issued to client %q; neither is the client that the S3 server was told", strings.Join(v.Audience, " "), v.Party),
		"the client needs an audience mapper for it: kubectl onyxia s3 configure makes it"
}

func noSubject(evidence) (string, string) {
	return "the token carries no claim \"sub\"",
		"Keycloak 25 and newer put it in by the client scope \"basic\": add that scope to the client's default scopes"
}

func wrongKey(v evidence) (string, string) {
	return fmt.Sprintf("the token was not signed by the issuer that the S3 server trusts; it names %s", v.Issuer),
		"compare that with the server's discovery URL; after a change of realm keys restart the server"
}

func noIssuer(v evidence) (string, string) {
	return fmt.Sprintf("the S3 server does not reach the issuer %s", v.Issuer),
		"is it up, and does its name resolve from the server's pod (hairpin, cluster DNS)?"
}

// noKeys is MinIO's own way to say what the issuer answered when it was asked for its keys: the status and nothing else.
func noKeys(v evidence) (string, string) {
	return fmt.Sprintf("that is what the S3 server got when it asked the issuer %s for its keys", v.Issuer),
		"is the issuer up, and is its Ingress there?"
}

func untrustedIssuer(v evidence) (string, string) {
	return fmt.Sprintf("the S3 server does not trust the certificate of the issuer %s", v.Issuer),
		"put the authority into trust.caBundle, and install s3 again"
}

func distrusted(v evidence) (string, string) {
	return fmt.Sprintf("the role's trust policy does not take a token of %s for [%s], or forbids its tags", v.Issuer, strings.Join(v.Audience, " ")),
		"compare the trust policy with the one that is printed for this issuer"
}
