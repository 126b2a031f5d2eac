package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/test/chaos"
)

// quick is a connection as Connect makes it, with short pauses.
func quick(host string, limit time.Duration) *rest.Config {
	config := &rest.Config{Host: host}
	config.Wrap(func(base http.RoundTripper) http.RoundTripper {
		return &repeating{base: base, limit: limit, pause: time.Millisecond}
	})
	return config
}

// spoiled is a connection to the real API server through a proxy that spoils writes.
func spoiled(t *testing.T, choose func(chaos.Write) chaos.Fault) (kubernetes.Interface, *chaos.Proxy, *kubetest.Cluster) {
	t.Helper()
	cluster := kubetest.Start(t)
	tls, err := rest.TLSConfigFor(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := chaos.New(cluster.Address, tls, chaos.Options{Choose: choose})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	set, err := kubernetes.NewForConfig(quick(server.URL, 5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return set, proxy, cluster
}

// F21 (review of 2026-11): one write that is answered by 500, or whose connection is cut, ended a run.
func TestF21WritesAreRepeated(t *testing.T) {
	type secrets = func(ctx context.Context, set kubernetes.Interface, namespace string) error
	writes := map[string]secrets{
		"create": func(ctx context.Context, set kubernetes.Interface, namespace string) error {
			made, err := set.CoreV1().Secrets(namespace).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "new"}, StringData: map[string]string{"a": "b"}}, metav1.CreateOptions{})
			if err == nil && (made.UID == "" || string(made.Data["a"]) != "b") {
				return fmt.Errorf("made %v", made)
			}
			return err
		},
		"update": func(ctx context.Context, set kubernetes.Interface, namespace string) error {
			live, err := set.CoreV1().Secrets(namespace).Get(ctx, "old", metav1.GetOptions{})
			if err != nil {
				return err
			}
			live.Data = map[string][]byte{"a": []byte("changed")}
			live, err = set.CoreV1().Secrets(namespace).Update(ctx, live, metav1.UpdateOptions{})
			if err == nil && string(live.Data["a"]) != "changed" {
				return fmt.Errorf("updated %v", live)
			}
			return err
		},
		"apply": func(ctx context.Context, set kubernetes.Interface, namespace string) error {
			_, err := set.CoreV1().Secrets(namespace).Patch(ctx, "old", types.ApplyPatchType, []byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"old"},"data":{"b":"Yg=="}}`), metav1.PatchOptions{FieldManager: "test"})
			return err
		},
		"merge patch": func(ctx context.Context, set kubernetes.Interface, namespace string) error {
			_, err := set.CoreV1().Secrets(namespace).Patch(ctx, "old", types.MergePatchType, []byte(`{"data":{"b":"Yg=="}}`), metav1.PatchOptions{})
			return err
		},
		"delete": func(ctx context.Context, set kubernetes.Interface, namespace string) error {
			live, err := set.CoreV1().Secrets(namespace).Get(ctx, "old", metav1.GetOptions{})
			if err != nil {
				return err
			}
			return set.CoreV1().Secrets(namespace).Delete(ctx, "old", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &live.UID}})
		},
	}
	for name, write := range writes {
		for _, fault := range chaos.Network() {
			t.Run(name+"/"+fault.String(), func(t *testing.T) {
				set, proxy, cluster := spoiled(t, chaos.At(1, fault))
				namespace := cluster.Namespace(t)
				old := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "old"}}
				if _, err := cluster.Clientset().CoreV1().Secrets(namespace).Create(t.Context(), old, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				if err := write(t.Context(), set, namespace); err != nil {
					t.Error(err)
				}
				if n := len(proxy.Writes()); n != 2 {
					t.Errorf("%d writes: %v", n, proxy.Writes())
				}
			})
		}
	}
}

// An object that is there already and is not what was sent stays somebody's.
func TestRepeatedCreateDoesNotClaimAnother(t *testing.T) {
	set, _, cluster := spoiled(t, chaos.At(1, chaos.CutBefore))
	namespace := cluster.Namespace(t)
	named := metav1.ObjectMeta{Name: "x"}
	if _, err := cluster.Clientset().CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: named, StringData: map[string]string{"a": "theirs"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := set.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: named, StringData: map[string]string{"a": "ours"}}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) || !Passing(err) {
		t.Errorf("got %v", err)
	}
}

// What a server may make twice is sent once.
func TestNamelessCreateIsSentOnce(t *testing.T) {
	for _, fault := range chaos.Network() {
		t.Run(fault.String(), func(t *testing.T) {
			set, proxy, cluster := spoiled(t, chaos.At(1, fault))
			_, err := set.CoreV1().Secrets(cluster.Namespace(t)).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{GenerateName: "x-"}}, metav1.CreateOptions{})
			if err == nil || !Passing(err) || len(proxy.Writes()) != 1 {
				t.Errorf("%v after %v", err, proxy.Writes())
			}
		})
	}
}

// scripted answers one request after another by the functions, and by the last of them from then on.
func scripted(t *testing.T, answers ...http.HandlerFunc) (*httptest.Server, func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		this := answers[min(n, len(answers)-1)]
		n++
		mu.Unlock()
		this(w, r)
	}))
	t.Cleanup(server.Close)
	return server, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func good(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// The test's server takes what is written here as it is.
	_ = json.NewEncoder(w).Encode(corev1.SecretList{TypeMeta: metav1.TypeMeta{Kind: "SecretList", APIVersion: "v1"}})
}

func cutOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func halfway(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"kind":"SecretList",`)
	panic(http.ErrAbortHandler)
}

func silent(_ http.ResponseWriter, r *http.Request) {
	// A server hears of a client that goes when it has read what that sent.
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func TestReadsAreRepeated(t *testing.T) {
	tests := map[string]struct {
		answers []http.HandlerFunc
		tries   int
		say     string // of the error; empty for none
	}{
		"500":               {[]http.HandlerFunc{status(500), good}, 2, ""},
		"502, 503, 504":     {[]http.HandlerFunc{status(502), status(503), status(504), good}, 4, ""},
		"429":               {[]http.HandlerFunc{status(429), good}, 2, ""},
		"Retry-After":       {[]http.HandlerFunc{status(503, "Retry-After", "1"), good}, 2, ""},
		"cut":               {[]http.HandlerFunc{cutOff, good}, 2, ""},
		"cut in the answer": {[]http.HandlerFunc{halfway, good}, 2, ""},
		"no answer":         {[]http.HandlerFunc{silent, good}, 2, ""},
		"400":               {[]http.HandlerFunc{status(400)}, 1, "rejected our request"},
		"500 for good":      {[]http.HandlerFunc{status(500, "Retry-After", "0")}, requestTries, "the API server answered 500: "},
		"cut for good":      {[]http.HandlerFunc{cutOff}, requestTries, "did not answer GET /api/v1/secrets: the connection was cut, 6 times; run the same command again"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server, tries := scripted(t, tt.answers...)
			set, err := kubernetes.NewForConfig(quick(server.URL, 500*time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err = set.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
			if tries() != tt.tries {
				t.Errorf("asked %d times, want %d", tries(), tt.tries)
			}
			if name == "Retry-After" && time.Since(began) < time.Second {
				t.Error("did not wait as long as the server asked")
			}
			switch {
			case tt.say == "" && err != nil:
				t.Error(err)
			case tt.say != "" && (err == nil || !strings.Contains(Explain(fmt.Errorf("x: %w", err)).Error(), tt.say)):
				t.Errorf("got %v", Explain(err))
			case err != nil && strings.Contains(Explain(err).Error(), "EOF"):
				t.Errorf("raw: %v", Explain(err))
			}
		})
	}
}

// D (review of 2026-11): a proxy that takes requests and never answers kept a run for good.
func TestDHangingProxyEndsARequest(t *testing.T) {
	server, tries := scripted(t, silent)
	set, err := kubernetes.NewForConfig(quick(server.URL, 200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = set.CoreV1().Secrets("x").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	if err == nil || ctx.Err() != nil || !strings.Contains(Explain(err).Error(), "did not come within 200ms") || tries() < 2 {
		t.Errorf("%d tries: %v", tries(), Explain(err))
	}
}

// D: the limit is in what Connect makes, for each of its clients and for those that Helm makes from its configuration.
func TestDConnectionsHaveALimit(t *testing.T) {
	server, _ := scripted(t, silent)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, chaos.Kubeconfig(server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	limit, cache := "200ms", t.TempDir()
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Timeout, flags.CacheDir = &file, &limit, &cache
	c, err := Connect(flags)
	if err != nil {
		t.Fatal(err)
	}
	helms, err := kubernetes.NewForConfig(rest.CopyConfig(c.Config))
	if err != nil {
		t.Fatal(err)
	}
	discovery, err := flags.ToDiscoveryClient()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for name, ask := range map[string]func() error{
		"clientset": func() error { _, err := c.Clientset.CoreV1().Nodes().List(ctx, metav1.ListOptions{}); return err },
		"helm's":    func() error { _, err := helms.CoreV1().Nodes().List(ctx, metav1.ListOptions{}); return err },
		"dynamic": func() error {
			_, err := c.Dynamic.Resource(corev1.SchemeGroupVersion.WithResource("nodes")).List(ctx, metav1.ListOptions{})
			return err
		},
		"discovery": func() error { _, err := discovery.ServerVersion(); return err },
	} {
		if err := ask(); err == nil || ctx.Err() != nil || !strings.Contains(Explain(err).Error(), "did not answer GET ") {
			t.Errorf("%s: %v", name, Explain(err))
		}
	}
}

func TestContextEndsRepeating(t *testing.T) {
	server, tries := scripted(t, status(503, "Retry-After", "30"))
	set, err := kubernetes.NewForConfig(quick(server.URL, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	ended := errors.New("ended")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	go func() {
		for tries() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel(ended)
	}()
	if _, err = set.CoreV1().Secrets("").List(ctx, metav1.ListOptions{}); !errors.Is(err, ended) || Passing(err) {
		t.Errorf("got %v", err)
	}
}

// A server that has answered before may come back; one that never did is not there.
func TestServerThatGoesAndComesBack(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(good))
	address := server.Listener.Addr().String()
	server.Start()
	transport := &repeating{base: &http.Transport{DisableKeepAlives: true}, limit: time.Second, pause: 20 * time.Millisecond}
	list := func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/api/v1/secrets", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err == nil {
			response.Body.Close()
		}
		return err
	}
	if err := list(); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if err := list(); !neverSent(err) {
		t.Fatalf("got %v", err)
	}
	back := make(chan *httptest.Server, 1)
	time.AfterFunc(50*time.Millisecond, func() {
		again := httptest.NewUnstartedServer(http.HandlerFunc(good))
		again.Listener.Close()
		listener, err := net.Listen("tcp", address)
		if err != nil {
			back <- nil
			return
		}
		again.Listener = listener
		again.Start()
		back <- again
	})
	err := list()
	again := <-back
	if again == nil {
		t.Skip("the port was taken meanwhile")
	}
	defer again.Close()
	if err != nil {
		t.Error(err)
	}
	if err := (&repeating{base: http.DefaultTransport, limit: time.Second, pause: time.Hour}).firstRefusal(t); !neverSent(err) {
		t.Errorf("got %v", err)
	}
}

func (t *repeating) firstRefusal(tb testing.TB) error {
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "http://127.0.0.1:1/api/v1/secrets", nil)
	if err != nil {
		return err
	}
	response, err := t.RoundTrip(request)
	if err == nil {
		response.Body.Close()
	}
	return err
}

func TestStreamsHaveNoLimit(t *testing.T) {
	for path, want := range map[string]bool{
		"/api/v1/namespaces/x/pods/y/exec?command=ls":               true,
		"/api/v1/namespaces/x/pods/y/portforward":                   true,
		"/below/api/v1/namespaces/x/pods/y/log?follow=true":         true,
		"/api/v1/pods?watch=true":                                   true,
		"/api/v1/namespaces/x/pods/y/log":                           false,
		"/api/v1/namespaces/x/secrets/exec?watch=false":             true, // one too many waits for its context
		"/apis/apps/v1/namespaces/x/deployments":                    false,
		"/version":                                                  false,
		"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":    false,
		"/apis/apps/v1/namespaces/x/deployments/y?fieldManager=abc": false,
	} {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		if streams(request) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
