package vault

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The reasons for a refusal that a caller may want to tell apart with errors.Is.
var (
	// ErrSealed says that Vault has its data but not the key to it.
	ErrSealed = errors.New("vault is sealed")
	// ErrNotInitialised says that Vault has no keys at all yet.
	ErrNotInitialised = errors.New("vault is not initialised")
	// ErrPermissionDenied says that the token may not do this, has expired or was revoked.
	ErrPermissionDenied = errors.New("permission denied")
	// ErrNotFound says that nothing is at the path.
	ErrNotFound = errors.New("not found")
)

// APIError is an answer of Vault that is no success.
type APIError struct {
	Method string
	// Path without /v1/.
	Path   string
	Status int
	// Messages are Vault's errors[], each on one line.
	Messages []string
	cause    error
}

// Error says what was asked, what Vault answered and what to do next.
func (e *APIError) Error() string {
	text := fmt.Sprintf("vault: %s %s: %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status))
	if len(e.Messages) > 0 {
		text += ": " + strings.Join(e.Messages, "; ")
	}
	switch e.cause {
	case ErrSealed:
		text += "; open it with: kubectl onyxia vault unseal"
	case ErrNotInitialised:
		text += "; give it its keys with: kubectl onyxia vault init"
	case ErrPermissionDenied:
		text += "; the token may not do this, has expired or was revoked: run the command again, with the key file or a token that may"
	}
	return text
}

// Unwrap gives one of the errors above, or nil.
func (e *APIError) Unwrap() error { return e.cause }

// Says tells whether one of Vault's messages contains the text.
func (e *APIError) Says(text string) bool {
	for _, m := range e.Messages {
		if strings.Contains(m, text) {
			return true
		}
	}
	return false
}

// causeOf sorts an answer by status and by Vault's own words, which are the same in OpenBao.
func causeOf(status int, messages []string) error {
	says := func(text string) bool {
		return strings.Contains(strings.ToLower(strings.Join(messages, "\n")), text)
	}
	switch {
	case says("is sealed"):
		return ErrSealed
	case says("not initialized"), says("not yet initialized"), status == http.StatusNotImplemented:
		return ErrNotInitialised
	case status == http.StatusForbidden:
		return ErrPermissionDenied
	case status == http.StatusNotFound:
		return ErrNotFound
	}
	return nil
}
