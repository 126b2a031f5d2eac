package keycloak

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// What somebody else made is changed after a question that says what it may cost; what is ours, or needs no change, without one.
func TestTakingAsks(t *testing.T) {
	r := &Realm{name: "datalab"}
	marked := map[string]any{mark: maker}
	client := document{"enabled": true, "redirectUris": set{"https://onyxia.demo.test/*"}, "secret": hidden{secret.New("ours")}}
	same := document{"enabled": true, "redirectUris": []any{"https://onyxia.demo.test/*"}, "secret": "ours"}
	kept := []any{"https://onyxia.demo.test/*", "https://onyxia.demo.test/only-this", "https://b.example/x", "https://a.example/*", "https://a.example/y", "*"}
	realm := document{"enabled": true, "registrationAllowed": true}
	for name, tc := range map[string]struct {
		risk func(sight) string
		s    sight
		want string
	}{
		"a client that is not there": {r.takingMinio, sight{want: client}, ""},
		"one of ours":                {r.takingMinio, sight{want: client, seen: document{"attributes": marked}}, ""},
		"one that is as wanted":      {r.takingMinio, sight{want: client, seen: same}, ""},
		"one that is switched off": {r.takingMinio, sight{want: client, seen: document{"enabled": false}.over(same)},
			"client minio of realm datalab was made by somebody else: what logs in by it now may stop working"},
		"its addresses and secret": {r.takingMinio, sight{want: client, seen: document{"redirectUris": kept, "secret": "theirs"}.over(same)},
			"what logs in by it now may stop working; nobody logs in to *, a.example, b.example by it any more; its secret becomes another"},
		"a realm of ours": {r.takingRealm, sight{want: realm, seen: document{"attributes": marked}}, ""},
		"one that lets strangers in already": {r.takingRealm, sight{want: realm, seen: document{"registrationAllowed": true}},
			"realm datalab was made by somebody else: these settings hold for all of its applications"},
		"one that does not": {r.takingRealm, sight{want: realm, seen: document{"enabled": true}},
			"these settings hold for all of its applications, and strangers may sign up to all of them (auth.registration: false)"},
	} {
		got := (&object{risk: tc.risk}).Plan(tc.s)
		if !strings.HasSuffix(got.Risk, tc.want) || (got.Risk == "") != (tc.want == "") {
			t.Errorf("%s: %q", name, got.Risk)
		}
		if got.Risk != "" && got.Action != engine.Configure {
			t.Errorf("%s: %s", name, got.Action)
		}
	}
}

func (r *Realm) takingMinio(s sight) string { return r.takingClient("minio", s) }

// A name that somebody takes between the look and the write is not merged into unasked.
func TestTakenMeanwhile(t *testing.T) {
	var theirs document
	written := false
	o := &object{
		risk: func(sight) string { return "theirs" }, forget: func() {},
		read: func(context.Context) (document, error) { return theirs, nil },
		want: always(document{"enabled": true}),
		create: func(context.Context, document) error {
			theirs = document{"enabled": false}
			return &Error{Status: http.StatusConflict}
		},
		update: func(context.Context, document, document) error { written = true; return nil },
	}
	err := o.Apply(t.Context(), sight{want: document{"enabled": true}})
	if !IsStatus(err, http.StatusConflict) || !strings.Contains(err.Error(), "run the same command again") || written {
		t.Errorf("written %t, %v", written, err)
	}
}
