package s3

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Without a user of the issuer: what can be shown is, and each way in which it is broken is said.
func TestCheck(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	server.put(t, guide())
	check := Check{S3: server.client(), Tenancy: guide(), Issuer: i.server.URL, Audience: "minio"}
	var lines []string
	if err := check.Run(t.Context(), func(l string) { lines = append(lines, l) }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(lines, "\n"); got != "a token that "+i.server.URL+" did not sign is refused, by the issuer's own keys\na token that anybody could sign is refused\nnothing is listed without credentials" {
		t.Errorf("said:\n%s", got)
	}
	careless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`))
	}))
	defer careless.Close()
	broken := check
	broken.S3 = &Client{Endpoint: careless.URL}
	if err := broken.Run(t.Context(), func(string) {}); err == nil || !strings.Contains(err.Error(), "whoever reaches it is any user") {
		t.Errorf("a server that takes anything: %v", err)
	}
	i.down.Store(true)
	if err := check.Run(t.Context(), func(string) {}); err == nil || !strings.Contains(err.Error(), "when it asked the issuer "+i.server.URL+" for its keys") {
		t.Errorf("an issuer that is down: %v", err)
	}
	server.stop()
	if err := check.Run(t.Context(), func(string) {}); err == nil || !strings.Contains(err.Error(), "nothing listens there") {
		t.Errorf("a server that is down: %v", err)
	}
}
