package s3

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// PolicyVersion is the version of the policy language; MinIO, AWS and Ceph know this one.
const PolicyVersion = "2012-10-17"

// Policy is a policy document as MinIO, AWS and Ceph read it.
type Policy struct {
	ID        string      `json:"ID,omitempty"`
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

// Statement allows or denies actions on resources.
type Statement struct {
	Sid         string          `json:"Sid,omitempty"`
	Effect      string          `json:"Effect"`
	Principal   map[string]List `json:"Principal,omitempty"`
	Action      List            `json:"Action,omitempty"`
	NotAction   List            `json:"NotAction,omitempty"`
	Resource    List            `json:"Resource,omitempty"`
	NotResource List            `json:"NotResource,omitempty"`
	Condition   Condition       `json:"Condition,omitempty"`
}

// Condition is operator, key, values: {"StringLike": {"jwt:preferred_username": ["*/*"]}}.
type Condition map[string]map[string]List

// The two effects of a statement.
const (
	Allow = "Allow"
	Deny  = "Deny"
)

// List is one or more strings: the policy language takes "x" for ["x"].
type List []string

// UnmarshalJSON reads a list, or a single value as a list of one.
func (l *List) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = List{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return fmt.Errorf("neither a string nor a list of strings: %w", err)
	}
	*l = many
	return nil
}

// ParsePolicy reads a policy document. An element that is not known here is an error: it might change what the policy means.
func ParsePolicy(b []byte) (Policy, error) {
	var p Policy
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("policy document: %w", err)
	}
	return p, nil
}

// JSON is the document without white space, as it is sent.
func (p Policy) JSON() []byte { return compact(p) }

// compact writes without escaping <, > and &, which would make a policy longer than it has to be. It is given structs of
// strings only, for which encoding cannot fail.
func compact(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// Canonical is the same text for all documents that mean the same: lists and statements are sorted and said once. The ID
// and the statements' own are left out, they mean nothing to the server.
func (p Policy) Canonical() string {
	texts := make([]string, 0, len(p.Statement))
	for _, s := range p.Statement {
		texts = append(texts, s.Canonical())
	}
	slices.Sort(texts)
	return p.Version + "\n" + strings.Join(slices.Compact(texts), "\n")
}

// Canonical is the statement as one line of JSON with sorted lists and without its Sid.
func (s Statement) Canonical() string {
	s.Sid = ""
	s.Action, s.NotAction, s.Resource, s.NotResource = sorted(s.Action), sorted(s.NotAction), sorted(s.Resource), sorted(s.NotResource)
	condition := Condition{}
	for operator, keys := range s.Condition {
		condition[operator] = map[string]List{}
		for key, values := range keys {
			condition[operator][key] = sorted(values)
		}
	}
	s.Condition = condition
	return string(compact(s))
}

// sorted is the values in order, each once; nil for none, so that it leaves no trace in JSON.
func sorted(l List) List {
	if len(l) == 0 {
		return nil
	}
	l = slices.Clone(l)
	slices.Sort(l)
	return slices.Compact(l)
}
