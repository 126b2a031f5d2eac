package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// The answers below have the form of kube-apiserver 1.36's; the real one is what `testbed/up` starts it against.
const services = `{"kind":"ServiceList","metadata":{"resourceVersion":"7"},"items":[
 {"metadata":{"name":"kubernetes","namespace":"default"},"spec":{"type":"ClusterIP"},"status":{"loadBalancer":{}}},
 {"metadata":{"name":"traefik","namespace":"ingress"},"spec":{"type":"LoadBalancer"},"status":{"loadBalancer":{}}},
 {"metadata":{"name":"served","namespace":"ingress"},"spec":{"type":"LoadBalancer"},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}]}`

const changes = `{"type":"ADDED","object":{"metadata":{"name":"late","namespace":"onyxia"},"spec":{"type":"LoadBalancer"},"status":{"loadBalancer":{}}}}
{"type":"DELETED","object":{"metadata":{"name":"gone","namespace":"onyxia"},"spec":{"type":"LoadBalancer"},"status":{"loadBalancer":{}}}}
{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}
`

func TestFollowGivesTheAddressWhereItIsMissing(t *testing.T) {
	var mu sync.Mutex
	var writes []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch {
		case r.Method == http.MethodPatch:
			mu.Lock()
			defer mu.Unlock()
			writes = append(writes, r.URL.Path+" "+r.Header.Get("Content-Type")+" "+string(body))
			_, _ = io.WriteString(w, "{}")
		case r.URL.Query().Get("watch") == "1" && r.URL.Query().Get("resourceVersion") == "7":
			_, _ = io.WriteString(w, changes)
		case r.URL.Path == "/api/v1/services":
			_, _ = io.WriteString(w, services)
		default:
			http.NotFound(w, r)
		}
	}))
	defer api.Close()
	b := &balancer{client: api.Client(), server: api.URL, address: "192.168.50.100"}
	if err := b.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	const patch = ` application/merge-patch+json {"status":{"loadBalancer":{"ingress":[{"ip":"192.168.50.100"}]}}}`
	want := []string{
		"/api/v1/namespaces/ingress/services/traefik/status" + patch,
		"/api/v1/namespaces/onyxia/services/late/status" + patch,
	}
	if !slices.Equal(writes, want) {
		t.Errorf("wrote\n%q\nwant\n%q", writes, want)
	}
}

func TestFollowTellsWhatTheServerSays(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not ready yet", http.StatusServiceUnavailable)
	}))
	defer api.Close()
	b := &balancer{client: api.Client(), server: api.URL, address: "192.168.50.100"}
	err := b.follow(t.Context())
	if want := "GET /api/v1/services: 503 Service Unavailable: not ready yet\n"; err == nil || err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
