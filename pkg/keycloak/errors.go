package keycloak

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is an answer of Keycloak that is no success. It never carries a token, a password or a client secret.
type Error struct {
	// Method and Path of the request; the path is below the server's base address.
	Method, Path string
	// Status is the HTTP status.
	Status int
	// Code is the OAuth 2 error code of the token endpoint (RFC 6749 section 5.2); empty for the admin API.
	Code string
	// Message is what Keycloak says.
	Message string
}

// Error says what was asked, what came back, and for missing rights which ones are needed.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Status == http.StatusForbidden {
		text += "; the account that we log in with lacks rights: it needs manage-realm, manage-clients and manage-users of the realm"
	}
	return text
}

// IsStatus tells whether an error is an answer of Keycloak with that HTTP status.
func IsStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// ErrCredentials is matched by errors of logins that Keycloak refused.
var ErrCredentials = errors.New("keycloak refused the login")

// answer makes an error of a response's body. Keycloak has three ways of saying what is wrong.
func answer(method, path string, status int, body []byte) *Error {
	var said struct {
		ErrorMessage string `json:"errorMessage"`
		Code         string `json:"error"`
		Description  string `json:"error_description"`
		Field        string `json:"field"`
		Errors       []struct {
			ErrorMessage string `json:"errorMessage"`
		} `json:"errors"`
	}
	e := &Error{Method: method, Path: path, Status: status}
	if json.Unmarshal(body, &said) != nil {
		return e
	}
	parts := []string{}
	for _, part := range []string{said.Field, said.ErrorMessage, said.Code, said.Description} {
		if part != "" && part != "unknown_error" && !strings.HasPrefix(part, "For more on this error consult") {
			parts = append(parts, part)
		}
	}
	for _, each := range said.Errors {
		parts = append(parts, each.ErrorMessage)
	}
	e.Code, e.Message = said.Code, strings.Join(parts, ": ")
	return e
}
