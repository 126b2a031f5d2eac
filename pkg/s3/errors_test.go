package s3

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// late makes every request look as if it had been sent at another time. The server looks at the clock before it looks at
// the signature, so that its answer is the real one.
type late time.Duration

func (l late) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Amz-Date", time.Now().Add(-time.Duration(l)).UTC().Format("20060102T150405Z"))
	return http.DefaultTransport.RoundTrip(r)
}

func TestRefusalsOfMinIO(t *testing.T) {
	t.Parallel()
	server := startMinIO(t, newIssuer(t))
	root := server.client()
	slow := *root
	slow.HTTP = &http.Client{Transport: late(20 * time.Minute)}
	for _, tc := range []struct {
		name   string
		client *Client
		want   []string
	}{
		{"unknown access key", root.As(NewCredentials("nobody", "x", "", time.Time{})), []string{"403 InvalidAccessKeyId", "knows no such access key", "restart its pod"}},
		{"wrong secret key", root.As(NewCredentials(rootUser, "wrong-secret", "", time.Time{})), []string{"403 SignatureDoesNotMatch", "secret key is not the one"}},
		{"clock off", &slow, []string{"403 RequestTimeTooSkewed", "this machine's clock says 20", "the server's says 20", "NTP"}},
		{"no key at all", root.As(Credentials{}), []string{"403 AccessDenied"}},
	} {
		for what, call := range map[string]func() error{
			"admin": func() error { _, err := (&Admin{Client: tc.client}).Policies(t.Context()); return err },
			"s3":    func() error { _, err := tc.client.Get(t.Context(), "user-alice", "x"); return err },
		} {
			err := call()
			if err == nil {
				t.Errorf("%s, %s: no error", tc.name, what)
				continue
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s, %s: want %q in %q", tc.name, what, want, err)
				}
			}
			if strings.Contains(err.Error(), "wrong-secret") {
				t.Errorf("%s: a secret in %q", tc.name, err)
			}
		}
	}
	server.stop()
	_, err := server.admin().Policies(t.Context())
	if err == nil || !strings.Contains(err.Error(), "nothing listens there") || !strings.Contains(err.Error(), "look at its pod") {
		t.Errorf("stopped server: %v", err)
	}
}

func TestAnswersOfProxies(t *testing.T) {
	for status, want := range map[int]string{
		413: "proxy-body-size", 502: "no pod behind it", 503: "no pod behind it", 504: "no pod behind it", 404: "does not read as S3", 301: "301 moved permanently", 403: "403 forbidden",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html><head><title>nginx</title></head><body>a long page</body></html>"))
		}))
		err := (&Client{Endpoint: server.URL}).Put(t.Context(), "user-alice", "x", []byte("y"))
		server.Close()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "long page") {
			t.Errorf("%d: %v, want %q", status, err, want)
		}
		if Denied(err) {
			t.Errorf("%d counts as a refusal", status)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	for endpoint, want := range map[string]string{
		strings.Replace(plain.URL, "http://", "https://", 1): "plain HTTP",
		secure.URL:                 "trust.caBundle",
		cut.URL:                    "the connection was cut",
		"http://nowhere.invalid":   "does not resolve",
		"minio.lab.example.org":    "is not a URL",
		"http://[::1":              "is not a URL",
		"http://127.0.0.1:1/path/": "nothing listens",
	} {
		_, err := (&Client{Endpoint: endpoint}).Buckets(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", endpoint, err, want)
		}
	}
}

func TestCancelledRequestSaysSo(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := (&Client{Endpoint: server.URL}).Buckets(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), server.URL) {
		t.Errorf("error %v", err)
	}
}
