package kube

import (
	"encoding/json"
	"fmt"
)

// redacted stands where a secret's value would.
const redacted = "[redacted]"

// SecretValue is a secret that does not print: every verb of fmt, JSON and text give "[redacted]". Reveal gives the value.
type SecretValue struct{ value []byte }

var (
	_ fmt.Formatter  = SecretValue{}
	_ json.Marshaler = SecretValue{}
)

// NewSecretValue wraps a secret that came from elsewhere.
func NewSecretValue(value []byte) SecretValue { return SecretValue{value: value} }

// Reveal gives the value to whoever has to send it.
func (v SecretValue) Reveal() string { return string(v.value) }

// String does not give the value.
func (v SecretValue) String() string { return redacted }

// Format keeps %x, %v and all other verbs from showing the value.
func (v SecretValue) Format(f fmt.State, _ rune) {
	// A formatter has nobody to tell that the writer failed.
	_, _ = f.Write([]byte(redacted))
}

// MarshalJSON does not give the value.
func (v SecretValue) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// MarshalText does not give the value.
func (v SecretValue) MarshalText() ([]byte, error) { return []byte(redacted), nil }
