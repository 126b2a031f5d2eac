package s3

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Error is a refusal or a failure in words: what was tried, what the server said, why that is, what to do next.
type Error struct {
	// Operation is what was tried: "put s3://user-alice/hello.txt".
	Operation string
	// Status is the HTTP status; 0 when there was no answer.
	Status int
	// Code and Message are the server's own: "AccessDenied", "Access Denied".
	Code    string
	Message string
	// Cause and Fix are ours; empty where the server's words say it all.
	Cause string
	Fix   string
	// there is the server's clock at the time of the answer; zero when it did not say.
	there time.Time
	err   error
}

// Error is one line without a full stop.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Operation + ": ")
	switch {
	case e.Status == 0:
		b.WriteString(e.Message)
	case e.Code == "":
		fmt.Fprintf(&b, "%d %s", e.Status, strings.ToLower(http.StatusText(e.Status)))
	default:
		fmt.Fprintf(&b, "%d %s: %s", e.Status, e.Code, e.Message)
	}
	if e.Cause != "" {
		b.WriteString(": " + e.Cause)
	}
	if e.Fix != "" {
		b.WriteString("; " + e.Fix)
	}
	return b.String()
}

// Unwrap gives the transport's error, if it was one.
func (e *Error) Unwrap() error { return e.err }

// IsCode tells whether err is the server's refusal with one of those codes: "NoSuchBucket".
func IsCode(err error, codes ...string) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.Code == code {
			return true
		}
	}
	return false
}

// Denied tells whether err is S3's own 403 that says the credentials are good and the action is not allowed, as opposed to
// a wrong key or clock, or a proxy that lets nothing through.
func Denied(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusForbidden && e.Code == "AccessDenied"
}

// document is an error in S3's XML, in STS's XML (nested), or in the JSON of MinIO's admin API.
type document struct {
	Code    string `json:"Code"`
	Message string `json:"Message"`
}

// refused makes an error of an answer of 300 and above.
func refused(operation string, res *http.Response, body []byte, sent time.Time) error {
	e := &Error{Operation: operation, Status: res.StatusCode}
	// Date is in every answer (RFC 9110 section 6.6.1); without it the zero time says "unknown".
	if there, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		e.there = there
	}
	d := read(body)
	e.Code, e.Message = d.Code, strings.TrimRight(strings.TrimSpace(d.Message), ".")
	explain(e, sent)
	if e.Code == "" && res.StatusCode < http.StatusBadRequest {
		explainRedirect(e, res)
	}
	return e
}

func read(body []byte) document {
	var d document
	if json.Unmarshal(body, &d) == nil {
		return d
	}
	var x struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
		Nested  struct {
			Code    string `xml:"Code"`
			Message string `xml:"Message"`
		} `xml:"Error"`
	}
	if xml.Unmarshal(body, &x) != nil {
		return document{}
	}
	if x.Code == "" {
		return document{Code: x.Nested.Code, Message: x.Nested.Message}
	}
	return document{Code: x.Code, Message: x.Message}
}
