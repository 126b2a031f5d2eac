// Package chaos is a reverse proxy between the plugin and a Kubernetes API server that spoils chosen writes, for tests of
// what a run does on a network that misbehaves.
package chaos

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/kubernetes/scheme"
)

// Fault is what happens to a write.
type Fault int

// The faults. None passes the write on; Answer500 and CutBefore do not pass it on; CutAfter passes it on, waits until it
// was carried out, and keeps the answer back; Hang passes nothing on and answers when the client has gone. HookBefore and
// HookAfter call Options.Hook before the write is passed on and after it was carried out, and cut the connection then.
const (
	None Fault = iota
	Answer500
	CutBefore
	CutAfter
	Hang
	HookBefore
	HookAfter
)

func (f Fault) String() string {
	return [...]string{"none", "answer 500", "cut before", "cut after", "hang", "hook before", "hook after"}[f]
}

// Network are the faults of a network, whose client lives on.
func Network() []Fault { return []Fault{Answer500, CutBefore, CutAfter} }

// Write is a request that counts.
type Write struct {
	// N is its number, from 1 in the order of arrival.
	N            int
	Method, Path string
	// Name is that of the object which is to be created, where the path does not say it.
	Name  string
	Fault Fault
}

func (w Write) String() string { return fmt.Sprintf("%d. %s: %s", w.N, w.Target(), w.Fault) }

// Target is what the write does to which object: the same when it is sent again.
func (w Write) Target() string { return strings.TrimSpace(w.Method + " " + w.Path + " " + w.Name) }

// Options of a proxy.
type Options struct {
	// Choose gives the fault of a write; At and Random make one. It is called for one write at a time. Nil spoils none.
	Choose func(Write) Fault
	// Hook is called for HookBefore and HookAfter, to end the client for instance. The write goes on when it returns.
	Hook func(Write)
	// Counts reports whether a request is a write that is numbered. Nil counts what Changes says.
	Counts func(*http.Request) bool
}

// At spoils the n-th write, from 1, and no other.
func At(n int, f Fault) func(Write) Fault {
	return func(w Write) Fault {
		if w.N == n {
			return f
		}
		return None
	}
}

// Random spoils about one write in so many by one of the faults. The same seed makes the same choices.
func Random(seed uint64, oneIn int, faults ...Fault) func(Write) Fault {
	r := rand.New(rand.NewPCG(seed, seed))
	return func(Write) Fault {
		hit, which := r.IntN(oneIn) == 0, r.IntN(len(faults))
		if hit {
			return faults[which]
		}
		return None
	}
}

// Changes reports whether a request changes something in the cluster. Reviews of rights and tokens, dry runs, and what
// becomes a stream (exec, port-forward) do not.
func Changes(r *http.Request) bool {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return false
	}
	review := strings.HasPrefix(r.URL.Path, "/apis/authorization.k8s.io/") || strings.HasPrefix(r.URL.Path, "/apis/authentication.k8s.io/") ||
		strings.HasSuffix(r.URL.Path, "/token")
	return !review && !r.URL.Query().Has("dryRun") && r.Header.Get("Upgrade") == ""
}

// Proxy passes requests on to one API server. It is a handler: httptest.NewServer gives it an address.
type Proxy struct {
	options Options
	forward *httputil.ReverseProxy

	mu     sync.Mutex
	writes []Write
}

// New makes a proxy to the API server at an address. The configuration says what it trusts and holds the client
// certificate that it presents, since a client's own ends at the proxy (client-go: rest.TLSConfigFor). Without one the
// client's token is passed on.
func New(upstream string, config *tls.Config, o Options) (*Proxy, error) {
	target, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	if config != nil {
		config = config.Clone()
		config.NextProtos = nil // exec and port-forward are upgrades of HTTP/1.1
	}
	if o.Counts == nil {
		o.Counts = Changes
	}
	return &Proxy{options: o, forward: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if config != nil && (len(config.Certificates) > 0 || config.GetClientCertificate != nil) {
				r.Out.Header.Del("Authorization")
			}
		},
		Transport:     &http.Transport{TLSClientConfig: config, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}, MaxIdleConnsPerHost: 64},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
	}}, nil
}

// Kubeconfig is one for a proxy, at an address, that presents a client certificate. The token is none: it keeps kubectl
// from asking for a user's name.
func Kubeconfig(address string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: chaos
contexts: [{name: chaos, context: {cluster: chaos, user: chaos}}]
clusters: [{name: chaos, cluster: {server: %q}}]
users: [{name: chaos, user: {token: none}}]
`, address)
}

// Writes are the writes up to now.
func (p *Proxy) Writes() []Write {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Write(nil), p.writes...)
}

// ServeHTTP passes a request on, or spoils it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.options.Counts(r) {
		p.forward.ServeHTTP(w, r)
		return
	}
	// A client that is cut off while it sends says something else than one that waits for an answer.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	this := p.number(r, body)
	switch this.Fault {
	case None:
		p.forward.ServeHTTP(w, r)
	case Answer500:
		http.Error(w, "spoiled by the chaos proxy", http.StatusInternalServerError)
	case CutBefore:
		panic(http.ErrAbortHandler)
	case CutAfter:
		p.forward.ServeHTTP(unsent{}, r)
		panic(http.ErrAbortHandler)
	case Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case HookBefore:
		p.options.Hook(this)
		panic(http.ErrAbortHandler)
	case HookAfter:
		p.forward.ServeHTTP(unsent{}, r)
		p.options.Hook(this)
		panic(http.ErrAbortHandler)
	}
}

func (p *Proxy) number(r *http.Request, body []byte) Write {
	p.mu.Lock()
	defer p.mu.Unlock()
	this := Write{N: len(p.writes) + 1, Method: r.Method, Path: r.URL.Path}
	if r.Method == http.MethodPost {
		this.Name = name(body)
	}
	if p.options.Choose != nil {
		this.Fault = p.options.Choose(this)
	}
	p.writes = append(p.writes, this)
	return this
}

// name is that of the object in a request, which is JSON, or protobuf where the client knows the object's type.
func name(body []byte) string {
	if object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil); err == nil {
		if known, err := meta.Accessor(object); err == nil {
			return known.GetName()
		}
	}
	var object struct{ Metadata struct{ Name string } }
	_ = json.Unmarshal(body, &object) // nothing is known of a body that is neither
	return object.Metadata.Name
}

// unsent is an answer that nobody gets.
type unsent struct{}

func (unsent) Header() http.Header         { return http.Header{} }
func (unsent) WriteHeader(int)             {}
func (unsent) Write(b []byte) (int, error) { return len(b), nil }
