package s3

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Token is what can be read in a token without checking it: for explaining a refusal, never for a decision.
type Token struct {
	Issuer  string
	Subject string
	// Audience and Party are the claims aud and azp.
	Audience []string
	Party    string
	Issued   time.Time
	Expires  time.Time
	// Policy is the claim policy: the policies that it names; nil when it is missing.
	Policy []string
	claims map[string]any
}

// ReadToken decodes the claims of a JWT (RFC 7519 section 3). The token itself appears in no error.
func ReadToken(jwt string) (Token, error) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return Token{}, errors.New("the token is no JWT: it has not three parts")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Token{}, errors.New("the token is no JWT: its claims are not base64url")
	}
	var claims map[string]any
	if json.Unmarshal(body, &claims) != nil {
		return Token{}, errors.New("the token is no JWT: its claims are not a JSON object")
	}
	t := Token{claims: claims, Issuer: text(claims["iss"]), Subject: text(claims["sub"]), Party: text(claims["azp"])}
	t.Audience, t.Policy = texts(claims["aud"]), split(texts(claims["policy"]))
	t.Issued, t.Expires = moment(claims["iat"]), moment(claims["exp"])
	return t, nil
}

// Text is a claim that is a string; false when it is missing or something else.
func (t Token) Text(claim string) (string, bool) {
	s, ok := t.claims[claim].(string)
	return s, ok
}

// tag is a session tag (AWS, Ceph).
func (t Token) tag(name string) []string {
	tags, _ := t.claims[tagsClaim].(map[string]any)
	principal, _ := tags["principal_tags"].(map[string]any)
	return texts(principal[name])
}

// split takes names apart the way MinIO reads its policy claim: each may be several, with commas between.
func split(names []string) []string {
	var out []string
	for _, n := range names {
		for _, part := range strings.Split(n, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	default:
		return nil
	}
}

// moment reads a NumericDate (RFC 7519 section 2), seconds since 1970.
func moment(v any) time.Time {
	seconds, ok := v.(float64)
	if !ok {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}
