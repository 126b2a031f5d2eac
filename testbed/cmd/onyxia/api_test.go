package main

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fetch asks a handler as a browser would, over a real connection.
func fetch(t *testing.T, h http.Handler, path string) (status int, body string) {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	resp, err := http.Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// sameJSON compares two documents without regard to the order of keys.
func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	gt, _ := json.MarshalIndent(g, "", " ")
	wt, _ := json.MarshalIndent(w, "", " ")
	if string(gt) != string(wt) {
		t.Errorf("got\n%s\nwant\n%s", gt, wt)
	}
}

// What the real API v4.12.0 serves for its smallest region: Region.java's defaults, seen from a pod of it too.
const smallest = `{"id":"demo","name":"Demo","services":{
	"singleNamespace":true,"allowNamespaceCreation":true,"namespaceLabels":{},"namespaceAnnotations":{},
	"namespaceAnnotationsDynamic":{"enabled":true,"userAttributes":[]},"userNamespace":true,"namespacePrefix":"user-",
	"groupNamespacePrefix":"projet-","authenticationMode":"serviceAccount","allowedURIPattern":"^https://",
	"quotas":{"userEnabled":false,"groupEnabled":false,"roles":{}},"k8sPublicEndpoint":{}}}`

func TestRegionsAreServedAsTheAPIServesThem(t *testing.T) {
	for name, tc := range map[string]struct{ version, given, want string }{
		"defaults are filled in": {"v4.12.0", `{"id":"demo","name":"Demo"}`, smallest},
		"unknown keys are dropped, whatever their depth": {
			"v4.12.0",
			`{"id":"demo","name":"Demo","location":{"name":"Paris"},"services":{"type":"KUBERNETES","initScript":"x","quotas":{"enabled":true}}}`,
			smallest,
		},
		"a key in the wrong case is unknown": {"v4.12.0", `{"id":"demo","name":"Demo","Services":{"namespacePrefix":"u-"}}`, smallest},
		"credentials of the cluster are not shown": {
			"v4.12.0", `{"id":"demo","name":"Demo","services":{"server":{"URL":"https://k","auth":{"token":"t"}}}}`, smallest,
		},
		"the old name of an authentication mode": {"v4.12.0", `{"id":"demo","name":"Demo","services":{"authenticationMode":"admin"}}`, smallest},
		"data is passed through, but for what has no value": {
			"v4.12.0", `{"id":"demo","name":"Demo","data":{"S3":{"URL":"https://s3","region":null,"sts":{"durationSeconds":86400}}}}`,
			strings.TrimSuffix(smallest, "}") + `,"data":{"S3":{"URL":"https://s3","sts":{"durationSeconds":86400}}}}`,
		},
		"vault gets its default path": {
			"v4.12.0", `{"id":"demo","name":"Demo","vault":{"URL":"https://v","oidcConfiguration":{"issuerURI":"https://i","clientId":"dropped"}}}`,
			strings.TrimSuffix(smallest, "}") + `,"vault":{"URL":"https://v","authPath":"jwt","oidcConfiguration":{"issuerURI":"https://i"}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := newAPI(t.Context(), tc.version, map[string]string{"server.servlet.context-path": "/api", "regions": "[" + tc.given + "]"})
			if err != nil {
				t.Fatal(err)
			}
			status, body := fetch(t, h, "/api/public/configuration")
			if status != http.StatusOK {
				t.Fatalf("status %d: %s", status, body)
			}
			sameJSON(t, body, `{"build":{"version":"`+tc.version+`-stand-in","timestamp":0},"regions":[`+tc.want+`]}`)
		})
	}
}

// TestRegionsOfTheGuidesGeneration: api v0.30 types S3 and knows keys that went away later (facts: Region.java at v0.30).
func TestRegionsOfTheGuidesGeneration(t *testing.T) {
	regions, err := parseRegions("v0.30", `[{"id":"demo","services":{"initScript":"https://i","authenticationMode":"admin"},
		"data":{"S3":{"type":"minio","URL":"https://s3","sts":{"durationSeconds":1}}},"vault":{"URL":"https://v","prefix":"user-"}}]`)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(regions[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"initScript":"https://i"`, `"authenticationMode":"admin"`, `"bucketClaim":"preferred_username"`, `"authPath":"jwt"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
	for _, never := range []string{"sts", "prefix\":\"user-\"}"} {
		if strings.Contains(string(text), never) {
			t.Errorf("%s is in %s", never, text)
		}
	}
}

func TestAPIRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		version string
		env     map[string]string
		want    string
	}{
		"regions that are no JSON": {"v4.12.0", map[string]string{"regions": "{"}, "regions:"},
		"an unknown version":       {"v1.0", nil, "no region model"},
		"a key that is fatal":      {"v4.12.0", map[string]string{"regions": `[{"services":{"defaultConfiguration":{}}}]`}, "defaultConfiguration"},
		"login without an issuer":  {"v4.12.0", map[string]string{"authentication.mode": "openidconnect"}, "unable to resolve"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newAPI(t.Context(), tc.version, tc.env)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
	// V3Checks.java ends the real API with code 0, which is worth meeting in a test of an installer.
	err := run(t.Context(), []string{"api", "-version", "v4.12.0"}, map[string]string{"regions": `[{"services":{"defaultConfiguration":{}}}]`}, io.Discard)
	if err != nil {
		t.Errorf("removed key: run returned %v, want none", err)
	}
}

// issuer is a minimal OpenID provider over HTTPS.
func issuer(t *testing.T, keys string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	realm := s.URL + "/auth/realms/datalab"
	mux.HandleFunc("/auth/realms/datalab/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"issuer": realm, "jwks_uri": s.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, keys) })
	return s
}

func TestLogin(t *testing.T) {
	s := issuer(t, `{"keys":[{"kty":"RSA"}]}`)
	trusted := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(trusted, "ca.crt"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"server.servlet.context-path": "/api", "authentication.mode": "openidconnect", "CACERTS_DIR": trusted,
		"oidc.issuer-uri": s.URL + "/auth/realms/datalab", "oidc.clientID": "onyxia",
	}
	h, err := newAPI(t.Context(), "v4.12.0", env)
	if err != nil {
		t.Fatal(err)
	}
	_, body := fetch(t, h, "/api/public/configuration")
	sameJSON(t, body, `{"build":{"version":"v4.12.0-stand-in","timestamp":0},"regions":[],"oidcConfiguration":{
		"issuerURI":"`+s.URL+`/auth/realms/datalab","clientID":"onyxia","extraQueryParams":"","scope":"openid profile","audience":""}}`)
	for path, want := range map[string]int{"/api/user/info": 401, "/api/public/healthcheck": 200, "/api/public/catalogs": 200} {
		if status, _ := fetch(t, h, path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}

	change := func(name, value string) map[string]string {
		changed := maps.Clone(env)
		changed[name] = value
		return changed
	}
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"untrusted authority": {change("CACERTS_DIR", t.TempDir()), "certificate"},
		"another name":        {change("oidc.issuer-uri", s.URL+"/auth/realms/datalab/"), "it calls itself"},
		"no such realm":       {change("oidc.issuer-uri", s.URL+"/auth/realms/other"), "404"},
		"bad number":          {change("oidc.idleSessionLifetimeInSeconds", "long"), "invalid syntax"},
	} {
		if _, err := newAPI(t.Context(), "v4.12.0", tc.env); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tc.want)
		}
	}
	keyless := issuer(t, `{"keys":[]}`)
	noKeys := change("oidc.issuer-uri", keyless.URL+"/auth/realms/datalab")
	noKeys["oidc.skip-tls-verify"] = "true"
	if _, err := newAPI(t.Context(), "v4.12.0", noKeys); err == nil || !strings.Contains(err.Error(), "no keys") {
		t.Errorf("no keys: got %v", err)
	}
}

func TestWebShowsItsSettings(t *testing.T) {
	h, err := newHandler(t.Context(), "web", "5.5.1", map[string]string{
		"HEADER_TEXT_BOLD": "Data <lab>", "ONYXIA_API_URL": "/api", "KUBERNETES_PORT": "tcp://10.96.0.1:443", "PATH": "/bin",
	})
	if err != nil {
		t.Fatal(err)
	}
	status, body := fetch(t, h, "/catalog/ide")
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	for _, want := range []string{"Onyxia web 5.5.1", "Data &lt;lab&gt;", `fetch("/api" +`} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not on the page:\n%s", want, body)
		}
	}
	if strings.Contains(body, "10.96.0.1") {
		t.Error("the page shows what Kubernetes adds")
	}
}

// TestGrace: with -grace the server goes on answering after it was told to stop, as the real API's pod does.
func TestGrace(t *testing.T) {
	const grace = 500 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"web", "-listen", "127.0.0.1:0", "-grace", grace.String()}, nil, w)
		w.CloseWithError(errors.Join(err, io.EOF))
		done <- err
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	// without kept connections, so that each request is answered by a server that still listens
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func() error {
		resp, err := client.Get("http://" + strings.TrimSpace(strings.TrimPrefix(line, "answering on ")))
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	stop()
	// A slow machine ends late, never early: the first request without an answer comes after the grace.
	for err = get(); err == nil; err = get() {
		if time.Since(stopped) > time.Minute {
			t.Fatal("it answers after the grace")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if lasted := time.Since(stopped); lasted < grace {
		t.Errorf("no answer within the grace, after %s: %v", lasted, err)
	}
	if err := <-done; err != nil && !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("stop: %v", err)
	}
}
