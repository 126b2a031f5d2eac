// Package secret is where a secret may be, and where it may not: the one type for what must not print, the one list of what
// looks like a secret, how a file with one is read, and how an HTTP client that carries one behaves.
package secret

import "fmt"

// Redacted is written in place of a secret wherever one is printed.
const Redacted = "[redacted]"

// Text is a password, a token or a key. However it is printed or encoded, it shows nothing; Reveal gives the value.
type Text struct {
	// A pointer, because fmt prints what is inside a struct around it without asking Format when the verb does not fit.
	value *string
}

// New wraps a value.
func New(value string) Text { return Text{&value} }

// Reveal gives the value, for the one place that needs it.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// Empty reports whether there is no value.
func (t Text) Empty() bool { return t.Reveal() == "" }

// Equal reports whether two are the same value.
func (t Text) Equal(other Text) bool { return t.Reveal() == other.Reveal() }

// String implements fmt.Stringer.
func (t Text) String() string { return Redacted }

// GoString implements fmt.GoStringer, for %#v.
func (t Text) GoString() string { return Redacted }

// Format implements fmt.Formatter, so that no verb prints the value.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// MarshalText implements encoding.TextMarshaler, for JSON, YAML and slog.
func (t Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
