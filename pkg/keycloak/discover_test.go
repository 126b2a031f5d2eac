package keycloak

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// Pages that may not read the issuer's answers cannot log anybody in, and nothing but the answer to a page's origin shows it.
func TestDiscoverAsksAsThePageDoes(t *testing.T) {
	const origin = "https://onyxia.demo.test"
	for name, tc := range map[string]struct {
		allow func(asked string) string
		doubt bool
	}{
		"everybody":     {func(string) string { return "*" }, false},
		"who asks":      {func(asked string) string { return asked }, false},
		"somebody else": {func(string) string { return "https://other.example" }, true},
		"nobody":        {func(string) string { return "" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			var server *httptest.Server
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if allowed := tc.allow(r.Header.Get("Origin")); allowed != "" {
					w.Header().Set("Access-Control-Allow-Origin", allowed)
				}
				answer := map[string]any{"keys": []any{map[string]any{}}}
				if strings.HasSuffix(r.URL.Path, wellKnown) {
					answer = map[string]any{"issuer": server.URL, "authorization_endpoint": server.URL, "token_endpoint": server.URL, "jwks_uri": server.URL + "/keys"}
				}
				_ = json.NewEncoder(w).Encode(answer)
			}))
			defer server.Close()
			d, err := Discover(t.Context(), server.Client(), server.URL, origin)
			if err != nil {
				t.Fatal(err)
			}
			told := slices.ContainsFunc(d.Doubts, func(doubt string) bool { return strings.Contains(doubt, "register "+origin) })
			if told != tc.doubt {
				t.Errorf("doubts %q", d.Doubts)
			}
		})
	}
}
