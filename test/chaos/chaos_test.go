package chaos

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// server counts what reaches it, and upgrades where it is asked to.
func server(t *testing.T) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var reached atomic.Int32
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		if r.Header.Get("Upgrade") == "" {
			io.Copy(w, r.Body)
			return
		}
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(conn, buffered)
	}))
	t.Cleanup(s.Close)
	return s, &reached
}

func through(t *testing.T, upstream *httptest.Server, o Options) (*Proxy, string) {
	t.Helper()
	p, err := New(upstream.URL, upstream.Client().Transport.(*http.Transport).TLSClientConfig, o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return p, s.URL
}

func TestFaults(t *testing.T) {
	tests := map[Fault]struct {
		reached int32
		code    int // 0 for a connection that was cut
	}{
		None: {1, 200}, Answer500: {0, 500}, CutBefore: {0, 0}, CutAfter: {1, 0}, Hang: {0, 0}, HookBefore: {0, 0}, HookAfter: {1, 0},
	}
	for fault, want := range tests {
		t.Run(fault.String(), func(t *testing.T) {
			upstream, reached := server(t)
			var hooked []int32
			p, address := through(t, upstream, Options{Choose: At(2, fault), Hook: func(Write) { hooked = append(hooked, reached.Load()) }})
			client := &http.Client{Timeout: 5 * time.Second}
			if fault == Hang {
				client.Timeout = 100 * time.Millisecond
			}
			post := func() (int, error) {
				resp, err := client.Post(address+"/x", "text/plain", strings.NewReader("hello"))
				if err != nil {
					return 0, err
				}
				defer resp.Body.Close()
				if body, err := io.ReadAll(resp.Body); resp.StatusCode == 200 && string(body) != "hello" {
					t.Errorf("body %q %v", body, err)
				}
				return resp.StatusCode, nil
			}
			if code, err := post(); code != 200 {
				t.Fatalf("the first write: %d %v", code, err)
			}
			if resp, err := client.Get(address); err != nil {
				t.Fatal(err)
			} else {
				resp.Body.Close()
			}
			code, err := post()
			if code != want.code || (err != nil) != (want.code == 0) {
				t.Errorf("the second write: %d %v", code, err)
			}
			if fault != Hang && want.code == 0 && !errors.Is(err, io.EOF) {
				t.Errorf("cut off, but %v", err)
			}
			if got := reached.Load() - 2; got != want.reached {
				t.Errorf("the second write reached the server %d times", got)
			}
			if wantHooked := fault == HookBefore || fault == HookAfter; wantHooked != (len(hooked) == 1) {
				t.Errorf("the hook was called %v", hooked)
			}
			if w := p.Writes(); len(w) != 2 || w[1] != (Write{N: 2, Method: "POST", Path: "/x", Fault: fault}) {
				t.Errorf("writes: %v", w)
			}
		})
	}
}

func TestCreatedObjectIsNamed(t *testing.T) {
	upstream, _ := server(t)
	p, address := through(t, upstream, Options{})
	codec, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	binary, err := runtime.Encode(scheme.Codecs.EncoderForVersion(codec.Serializer, corev1.SchemeGroupVersion), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"POST", `{"metadata": {"name": "a"}}`}, {"PUT", `{"metadata": {"name": "b"}}`}, {"POST", string(binary)}, {"POST", "none"}} {
		request, err := http.NewRequest(c[0], address+"/x", strings.NewReader(c[1]))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	var targets []string
	for _, w := range p.Writes() {
		targets = append(targets, w.Target())
	}
	slices.Sort(targets)
	if !slices.Equal(targets, []string{"POST /x", "POST /x a", "POST /x c", "PUT /x"}) {
		t.Errorf("%q", targets)
	}
}

func TestStreamsPass(t *testing.T) {
	upstream, _ := server(t)
	p, address := through(t, upstream, Options{Choose: func(Write) Fault { return CutBefore }})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, "POST /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", resp, err)
	}
	io.WriteString(conn, "hello\n")
	if line, err := in.ReadString('\n'); line != "hello\n" {
		t.Errorf("%q %v", line, err)
	}
	if w := p.Writes(); len(w) > 0 {
		t.Errorf("counted: %v", w)
	}
}

func TestSameSeedSameChoices(t *testing.T) {
	draw := func(seed uint64) (all []Fault) {
		choose := Random(seed, 3, Network()...)
		for range 50 {
			all = append(all, choose(Write{}))
		}
		return all
	}
	if !slices.Equal(draw(7), draw(7)) {
		t.Error("one seed made two choices")
	}
	if slices.Equal(draw(7), draw(8)) {
		t.Error("two seeds made the same choices")
	}
	for _, fault := range append(Network(), None) {
		if !slices.Contains(draw(7), fault) {
			t.Errorf("%s was never chosen", fault)
		}
	}
}

func TestUpstreamWithoutTLS(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer upstream.Close()
	for _, config := range []*tls.Config{nil, {}} {
		p, err := New(upstream.URL, config, Options{})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, "/x", nil))
		if w.Code != 200 {
			t.Errorf("%d", w.Code)
		}
	}
}
