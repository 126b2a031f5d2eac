package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
)

// How long one request may take, a little more than the API server gives itself; how often it is sent; the first pause
// between two attempts, which doubles; the longest that a server may ask for; and how large an answer may be.
const (
	requestTime   = 65 * time.Second
	requestTries  = 6
	requestPause  = 250 * time.Millisecond
	longestPause  = 30 * time.Second
	largestAnswer = 256 << 20
)

// repeated puts the transport below under a configuration. The limit of --request-timeout, which client-go would apply to
// all attempts together, is that of each.
func repeated(config *rest.Config) *rest.Config {
	limit := config.Timeout
	if limit <= 0 {
		limit = requestTime
	}
	config.Timeout = 0
	config.Wrap(func(base http.RoundTripper) http.RoundTripper {
		return &repeating{base: base, limit: limit, pause: requestPause}
	})
	return config
}

// repeating is the transport of everything that is asked of the API server, by our clients and by Helm's. Each request has
// a limit in time, and one that may be sent twice is: reads; PUT, DELETE and all patches but JSON patches, which leave the same
// behind when they are carried out twice; and the creation of an object that has a name, which the server carries out
// once. A repeated write that the server refuses because of itself counts as carried out, see settled. Streams are left alone:
// contexts end them.
type repeating struct {
	base  http.RoundTripper
	limit time.Duration
	pause time.Duration
	// answered says that the server is known to be there, so that one that refuses connections may come back.
	answered atomic.Bool
}

// UnansweredError says that the API server gave no answer to a request, which may have been carried out.
type UnansweredError struct {
	Method, Path string
	// Why the last attempt failed, and how many there were.
	Why   string
	Tries int
}

func (e *UnansweredError) Error() string {
	times := ""
	if e.Tries > 1 {
		times = fmt.Sprintf(" (tried %d times)", e.Tries)
	}
	return fmt.Sprintf("no answer to %s %s: %s%s", e.Method, e.Path, e.Why, times)
}

var errTooSlow = errors.New("time is up")

// RoundTrip sends a request as often as that may help.
func (t *repeating) RoundTrip(r *http.Request) (*http.Response, error) {
	if streams(r) {
		return t.base.RoundTrip(r)
	}
	if r.Body != nil {
		defer r.Body.Close()
	}
	rewinds := r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
	may, uncertain := repeatable(r), false
	pause, patience := t.pause, time.Now().Add(2*t.limit)
	for n := 1; ; n++ {
		response, err := t.attempt(r)
		f := t.failure(r, response, err)
		switch {
		case f == nil:
			return t.settled(r, response, err, uncertain)
		case f.carried && !may || !rewinds || n == requestTries || time.Now().After(patience):
			return f.last(r, response, err, n)
		}
		uncertain = uncertain || f.carried
		if err := wait(r.Context(), max(pause, min(f.after, longestPause))); err != nil {
			return nil, err
		}
		pause *= 2
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// attempt sends a request once and reads the whole answer: one that is cut off in the middle is none.
func (t *repeating) attempt(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), t.limit, errTooSlow)
	defer cancel()
	once := r.Clone(ctx)
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		once.Body = body
	}
	response, err := t.base.RoundTrip(once)
	if err == nil {
		err = buffer(response)
	}
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return response, err
}

func buffer(response *http.Response) error {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, largestAnswer+1))
	if err != nil {
		return err
	}
	if len(body) > largestAnswer {
		return fmt.Errorf("the API server's answer is larger than %d MiB", largestAnswer>>20)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// failed is an attempt that another one may follow.
type failed struct {
	// carried says that the server may have carried the request out.
	carried bool
	// why there was no answer; empty when there was one.
	why string
	// after is how long the server asks to wait.
	after time.Duration
}

// last is what remains of the last attempt. client-go would begin again with an answer that says when to.
func (f *failed) last(r *http.Request, response *http.Response, err error, tries int) (*http.Response, error) {
	switch {
	case err == nil:
		response.Header.Del("Retry-After")
		return response, nil
	case f.why == "":
		return nil, err
	}
	return nil, &UnansweredError{Method: r.Method, Path: r.URL.Path, Why: f.why, Tries: tries}
}

// failure looks at what came of an attempt; nil for what another one would not change.
func (t *repeating) failure(r *http.Request, response *http.Response, err error) *failed {
	switch {
	case r.Context().Err() != nil:
		return nil
	case err == nil:
		t.answered.Store(true)
		return refusedForNow(r, response)
	case neverSent(err):
		if t.answered.Load() {
			return &failed{}
		}
		return nil
	case errors.Is(err, errTooSlow):
		return &failed{carried: true, why: fmt.Sprintf("it did not come within %s", t.limit)}
	case cut(err):
		return &failed{carried: true, why: "the connection was cut"}
	}
	return nil
}

// refusedForNow reads an answer. Discovery of a group whose own server is down is refused for longer than anybody waits.
func refusedForNow(r *http.Request, response *http.Response) *failed {
	after, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil {
		after = 0
	}
	f := &failed{after: time.Duration(after) * time.Second}
	switch response.StatusCode {
	case http.StatusTooManyRequests:
		return f
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if group, below := apiPath(r.URL.Path); group != "" && len(below) == 0 {
			return nil
		}
		f.carried = true
		return f
	}
	return nil
}

func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

// cut reports whether a connection ended before its time. Those of HTTP/2 have no types.
func cut(err error) bool {
	for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed} {
		if errors.Is(err, known) {
			return true
		}
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() || slices.ContainsFunc(
		[]string{"http2:", "stream error:", "server closed idle connection", "transport connection broken", "connection lost"},
		func(words string) bool { return strings.Contains(err.Error(), words) })
}

// streams reports whether a request has no end of its own.
func streams(r *http.Request) bool {
	query := r.URL.Query()
	if r.Header.Get("Upgrade") != "" || query.Get("watch") == "true" || query.Get("watch") == "1" || query.Get("follow") == "true" {
		return true
	}
	_, parts := apiPath(r.URL.Path)
	return len(parts) > 0 && slices.Contains([]string{"exec", "attach", "portforward", "proxy"}, parts[len(parts)-1])
}

// repeatable reports whether a request may be sent twice. Reviews of rights are reads, and so are dry runs.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPatch:
		return !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json-patch+json")
	case http.MethodPost:
		group, _ := apiPath(r.URL.Path)
		return group == "authorization.k8s.io" || group == "authentication.k8s.io" || r.URL.Query().Has("dryRun") || creates(r) != nil
	}
	return false
}

// apiPath takes a path apart: its API group, and what is below the group's version. A server may be below a path of its own.
func apiPath(path string) (group string, below []string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, part := range parts {
		switch {
		case part == "api" && i+1 < len(parts) && parts[i+1] == "v1":
			return "", parts[i+2:]
		case part == "apis" && i+2 < len(parts):
			return parts[i+1], parts[i+3:]
		}
	}
	return "", nil
}
