package s3

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// A program cannot be given a clock of its own here, so the other clock is moved: times in a token are those of an issuer
// whose clock is off against MinIO's, and the time of a signed request is that of a client whose clock is.

// What MinIO takes of an issuer whose clock is off: it forgives nothing, in either direction.
func TestClockOfTheIssuer(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	server.put(t, guide())
	const off = 2 * time.Minute
	for _, tc := range []struct {
		name string
		// clock is how far the issuer's is ahead of MinIO's, life how long its tokens live.
		clock, life time.Duration
		// notBefore says that tokens carry nbf, which Keycloak's do not.
		notBefore bool
		want      []string
	}{
		{"the same", 0, time.Hour, false, nil},
		{"behind, tokens that live long", -off, time.Hour, false, nil},
		{"behind, tokens of a minute", -off, time.Minute, false, []string{"the token was good until", "the S3 server's clock says", "if it is new, compare the clocks of issuer and S3 server"}},
		{"ahead", off, time.Hour, false, []string{"the token was issued at", "yet to come for the server", "set the clocks of issuer and S3 server (NTP)"}},
		{"ahead, with nbf", off, time.Hour, true, []string{"the token was issued at", "yet to come for the server"}},
		// Long enough for a busy machine to ask meanwhile, short of the minute that others forgive.
		{"a moment ahead", 30 * time.Second, time.Hour, false, []string{"yet to come for the server"}},
		{"expired", -2 * time.Hour, time.Hour, false, []string{"the token was good until", "get a new token"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			there := time.Now().Add(tc.clock)
			more := claims{"iat": there.Unix(), "exp": there.Add(tc.life).Unix()}
			if tc.notBefore {
				more["nbf"] = there.Unix()
			}
			_, err := server.client().AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: i.token(t, "alice", nil, more)})
			if (err != nil) != (len(tc.want) > 0) {
				t.Fatalf("%v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in %q", want, err)
				}
			}
		})
	}
}

// What MinIO takes of a client whose clock is off: a quarter of an hour. It looks at the clock first; a request whose time
// was changed after it was signed is refused for its signature when its time is taken.
func TestClockOfTheClient(t *testing.T) {
	t.Parallel()
	server := startMinIO(t, newIssuer(t))
	for off, want := range map[time.Duration]string{
		2 * time.Minute: "SignatureDoesNotMatch", -2 * time.Minute: "SignatureDoesNotMatch",
		14 * time.Minute: "SignatureDoesNotMatch", -14 * time.Minute: "SignatureDoesNotMatch",
		16 * time.Minute: "RequestTimeTooSkewed", -16 * time.Minute: "RequestTimeTooSkewed",
	} {
		client := server.client()
		client.HTTP = &http.Client{Transport: late(off)}
		_, err := client.Buckets(t.Context())
		if !IsCode(err, want) {
			t.Errorf("%s late: %v, want %s", off, err, want)
		}
		if want == "RequestTimeTooSkewed" && !strings.Contains(err.Error(), "set the clock that is wrong (NTP); S3 allows 15 minutes") {
			t.Errorf("%s late: %v", off, err)
		}
	}
}

// Credentials and policies outlive a restart. One that finds its issuer down waits for it, says so, and goes on by itself
// once the issuer is back.
func TestRestartedMinIO(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	folder, port := t.TempDir(), testbed.Port(t)
	server := launch(t, folder, port, openID(i.server.URL)...)
	server.await(t)
	server.put(t, guide("group1"))
	before := server.login(t, i.token(t, "alice", nil, nil))
	if _, err := before.CreateBucket(t.Context(), "user-alice"); err != nil {
		t.Fatal(err)
	}
	if err := before.Put(t.Context(), "user-alice", "x", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	again := func() {
		server.stop()
		server = launch(t, folder, port, openID(i.server.URL)...)
	}
	kept := func() {
		t.Helper()
		if content, err := before.Get(t.Context(), "user-alice", "x"); err != nil || string(content) != "kept" {
			t.Errorf("by the credentials of before: %q, %v", content, err)
		}
		if _, err := before.Get(t.Context(), "user-bob", "x"); !Denied(err) {
			t.Errorf("at a neighbour's: %v", err)
		}
	}
	again()
	server.await(t)
	kept()

	i.down.Store(true)
	again()
	health := await(t, server, func(h engine.Health) bool { return strings.Contains(h.Reason, "waits for its OpenID provider") })
	if health.Ready || health.Hopeless {
		t.Errorf("%+v", health)
	}
	if _, err := before.Get(t.Context(), "user-alice", "x"); err == nil || !strings.Contains(err.Error(), "waits for its OpenID provider") {
		t.Errorf("a user meanwhile: %v", err)
	}
	i.down.Store(false)
	server.await(t)
	kept()
}
