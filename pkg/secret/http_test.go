package secret

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// B2: a client with a credential goes nowhere but where it was sent, whichever way it is sent on.
func TestB2NoRedirectIsFollowed(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			var reached atomic.Int32
			thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, thief.URL+"/x?password=hunter2", code)
			}))
			t.Cleanup(thief.Close)
			t.Cleanup(server.Close)
			for name, client := range map[string]*http.Client{
				"Client": Client(server.Client().Transport, time.Minute), "Direct": Direct(server.Client()),
				"Transport": {Transport: Transport(server.Client().Transport)},
			} {
				request, err := http.NewRequestWithContext(t.Context(), method, server.URL, strings.NewReader("password=hunter2"))
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("X-Vault-Token", "hunter2")
				response, err := client.Do(request)
				if err == nil {
					err = Redirected(response)
					_ = response.Body.Close()
				}
				if err == nil || !strings.Contains(err.Error(), "sent on to "+thief.URL+"/x, which is not followed") && !strings.Contains(err.Error(), "which is not followed with a password") {
					t.Errorf("%s %d %s: %v", name, code, method, err)
				}
				if name != "Transport" && strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: %v", name, err)
				}
			}
			if reached.Load() != 0 {
				t.Errorf("%d %s reached the other server", code, method)
			}
		}
	}
	if Redirected(&http.Response{StatusCode: 200}) != nil || Redirected(&http.Response{StatusCode: 304}) != nil {
		t.Error("an answer is taken for a redirect")
	}
}

// An API server may send on within itself; a registry sends on to where its blobs are, and its credential stays behind.
func TestB2RedirectsThatAreFollowed(t *testing.T) {
	var got atomic.Value
	blobs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("Authorization"))
		fmt.Fprint(w, "blob")
	}))
	defer blobs.Close()
	mux := http.NewServeMux()
	mux.Handle("/elsewhere", http.RedirectHandler(blobs.URL, http.StatusTemporaryRedirect))
	mux.Handle("/within", http.RedirectHandler("/there", http.StatusTemporaryRedirect))
	mux.HandleFunc("/there", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization")) })
	mux.Handle("/circle", http.RedirectHandler("/circle", http.StatusTemporaryRedirect))
	server := httptest.NewServer(mux)
	defer server.Close()
	ask := func(client *http.Client, path string) (string, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer hunter2")
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return string(text), err
	}
	registry := &http.Client{CheckRedirect: Strip}
	// Both servers are 127.0.0.1, for which Go alone would keep the header.
	if text, err := ask(registry, "/elsewhere"); err != nil || text != "blob" || got.Load() != "" {
		t.Errorf("%q, %v, Authorization %v", text, err, got.Load())
	}
	if _, err := ask(registry, "/circle"); err == nil {
		t.Error("a circle does not end")
	}
	for name, client := range map[string]*http.Client{"Strip": registry, "Transport": {Transport: Transport(http.DefaultTransport)}} {
		if text, err := ask(client, "/within"); err != nil || text != "Bearer hunter2" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
