package s3

import (
	"strings"
	"testing"
)

// A policy with all that the language has, as MinIO, a person or another tool may write it.
const proven = `{"Version":"2012-10-17","Statement":[
 {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::user-${jwt:preferred_username}", "arn:aws:s3:::user-${jwt:preferred_username}/*"]},
 {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::projet-group1", "arn:aws:s3:::projet-group1/*"], "Condition": {"ForAnyValue:StringEquals": {"jwt:groups": ["group1"]}}}]}`

func TestCanonical(t *testing.T) {
	want := parse(t, proven).Canonical()
	for name, text := range map[string]string{
		"order of statements": `{"Statement":[
 {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::projet-group1", "arn:aws:s3:::projet-group1/*"], "Condition": {"ForAnyValue:StringEquals": {"jwt:groups": ["group1"]}}},
 {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::user-${jwt:preferred_username}", "arn:aws:s3:::user-${jwt:preferred_username}/*"]}],"Version":"2012-10-17"}`,
		"string for list, order of lists, Sid, ID, said twice": `{"ID":"x","Version":"2012-10-17","Statement":[
 {"Sid":"A","Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::user-${jwt:preferred_username}/*", "arn:aws:s3:::user-${jwt:preferred_username}"]},
 {"Sid":"A","Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::user-${jwt:preferred_username}/*", "arn:aws:s3:::user-${jwt:preferred_username}"]},
 {"Effect": "Allow", "Action": ["s3:*","s3:*"], "Resource": ["arn:aws:s3:::projet-group1/*", "arn:aws:s3:::projet-group1"], "Condition": {"ForAnyValue:StringEquals": {"jwt:groups": "group1"}}}]}`,
	} {
		if got := parse(t, text).Canonical(); got != want {
			t.Errorf("%s: canonical\n%s\nwant\n%s", name, got, want)
		}
	}
	for name, text := range map[string]string{
		"another effect":    strings.Replace(proven, "Allow", "Deny", 1),
		"another action":    strings.Replace(proven, "s3:*", "s3:Get*", 1),
		"another group":     strings.Replace(proven, `["group1"]`, `["group2"]`, 1),
		"another operator":  strings.Replace(proven, "ForAnyValue:StringEquals", "ForAnyValue:StringLike", 1),
		"another key":       strings.Replace(proven, "jwt:groups", "jwt:sub", 1),
		"one resource more": strings.Replace(proven, `"arn:aws:s3:::projet-group1",`, `"arn:aws:s3:::projet-group1","arn:aws:s3:::*",`, 1),
		"no condition":      strings.Replace(proven, `, "Condition": {"ForAnyValue:StringEquals": {"jwt:groups": ["group1"]}}`, "", 1),
		"NotAction":         strings.Replace(proven, `"Action": ["s3:*"]`, `"NotAction": ["s3:*"]`, 1),
	} {
		if parse(t, text).Canonical() == want {
			t.Errorf("%s: told apart by nothing", name)
		}
	}
}

func TestParsePolicyRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{"Version":`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":"*"}}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":{"a":1}}]}`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[1]}]}`,
	} {
		if p, err := ParsePolicy([]byte(text)); err == nil {
			t.Errorf("ParsePolicy(%s) = %v, want an error", text, p)
		}
	}
}

// FuzzCanonical: writing a policy and reading it again means the same.
func FuzzCanonical(f *testing.F) {
	f.Add(proven)
	f.Add(`{"Version":"","Statement":[{"Effect":"Deny","NotResource":"x","Condition":{"Null":{"a":[]}}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePolicy([]byte(text))
		if err != nil {
			return
		}
		again, err := ParsePolicy(p.JSON())
		if err != nil {
			t.Fatalf("what we wrote does not parse: %v\n%s", err, p.JSON())
		}
		if again.Canonical() != p.Canonical() {
			t.Fatalf("written and read again:\n%s\nwas\n%s", again.Canonical(), p.Canonical())
		}
	})
}

func parse(t *testing.T, text string) Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
