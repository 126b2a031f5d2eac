package s3

import "strings"

// MinIO puts the username into the resource of a policy and matches wildcards afterwards: a user with the name "*" or "a*"
// owns every bucket that this matches, and "a/b" a folder in the bucket of a. The issuer's username rule is what stops
// such names; the statements of this file are for the day on which it does not. All of it was tried on a running MinIO.

// forgedNames denies a request that shows conditions another username than the token's. Conditions prefer a header or a
// parameter `Preferred_username` over the claim; what is put into patterns and resources is always the claim.
func (t Tenancy) forgedNames() Statement {
	s := t.deny("NoForgedNames")
	s.Condition = Condition{"ForAllValues:StringNotEquals": {t.key(): {t.variable()}}}
	return s
}

// hostileNames denies everything to a user whose name holds a slash, or begins or ends with a star.
//
// The policy language of MinIO cannot say "holds a star". But the claim is put into the pattern as well, and there a star
// matches nothing too: `NAME?*`, compared with NAME itself, asks for one character more than NAME has, which only a
// name that ends in a star can give away. `?*NAME` is the same for the beginning.
func (t Tenancy) hostileNames() Statement {
	s := t.deny("NoHostileNames")
	s.Condition = Condition{"StringLike": {t.key(): {"*/*", t.variable() + "?*", "?*" + t.variable()}}}
	return s
}

// alphabet is what a username may hold where nobody else checks it: the rule of the username in Keycloak.
const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-"

// guard denies every name that holds anything but the alphabet, one statement for each position, counted from both ends
// to keep the patterns short. Patterns can only say which character stands at a position, hence the length of it.
func (t Tenancy) guard() []Statement {
	if t.LongestName <= 0 {
		return nil
	}
	var out []Statement
	for i := range (t.LongestName + 1) / 2 {
		skip := strings.Repeat("?", i)
		var fromStart, fromEnd List
		for _, c := range alphabet {
			fromStart = append(fromStart, skip+string(c)+"*")
			fromEnd = append(fromEnd, "*"+string(c)+skip)
		}
		out = append(out, t.position(skip, fromStart), t.position(skip, fromEnd))
	}
	long := t.deny("")
	long.Condition = Condition{"StringLike": {t.key(): {strings.Repeat("?", t.LongestName+1) + "*"}}}
	return append(out, long)
}

// position denies names that reach beyond skip and match none of the patterns.
func (t Tenancy) position(skip string, allowed List) Statement {
	s := t.deny("")
	s.Condition = Condition{"StringLike": {t.key(): {skip + "?*"}}, "StringNotLike": {t.key(): allowed}}
	return s
}

func (t Tenancy) key() string { return "jwt:" + t.UsernameClaim }

func (t Tenancy) deny(sid string) Statement {
	return Statement{Sid: sid, Effect: Deny, Action: List{"s3:*"}, Resource: List{arn + "*"}}
}
