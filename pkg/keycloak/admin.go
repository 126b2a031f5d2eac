package keycloak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// Admin is a connection to the admin REST API of one server. It logs in when it is first used. It is safe for concurrent use.
type Admin struct {
	base        string
	http        *http.Client
	credentials func(context.Context) (Credentials, error)
	info        *engine.Shared[ServerInfo]
	outage      outage

	// turns lets reads go on at once and writes alone. Keycloak reads through a cache, and a list that is read while something
	// is added to it may lack it from then on: seen on 20.0.5 (client scopes) and 23.0.7 (groups).
	turns sync.RWMutex

	mu    sync.Mutex
	token token
	// refusal is a login that was turned down; it is not tried again for each of many steps.
	refusal error
}

// NewAdmin makes a connection and sends nothing. The base address has the server's relative path ("http://keycloak/auth").
// The HTTP client decides how the server is reached, for instance through a port-forward. The credentials are asked for
// whenever a login is due; their error is given on as it is, so it may be an *engine.NotYetError.
func NewAdmin(base string, client *http.Client, credentials func(context.Context) (Credentials, error)) *Admin {
	a := &Admin{base: strings.TrimRight(base, "/"), http: secret.Direct(client), credentials: credentials}
	a.outage.address, a.outage.patience, a.outage.attempt = a.base, outagePatience, attemptTime
	a.info = engine.NewShared(a.readServerInfo)
	return a
}

// request is one call of the admin API. Its path begins below /admin.
type request struct {
	method, path string
	// body is sent as JSON unless nil, out takes the answer unless nil.
	body, out any
	// repeatable says that sending a POST twice does no more than once: Keycloak answers 409 to a name that is taken.
	repeatable bool
	// single says that the request must not be sent twice although it is a PUT, because it does something: a mail.
	single bool
	// created takes the new thing's id, the last part of the Location header. Its host is the public one and is not followed.
	created *string
}

func (a *Admin) get(ctx context.Context, path string, out any) error {
	return a.do(ctx, request{method: http.MethodGet, path: path, out: out})
}

func (a *Admin) put(ctx context.Context, path string, body any) error {
	return a.do(ctx, request{method: http.MethodPut, path: path, body: body})
}

func (a *Admin) post(ctx context.Context, path string, body any) error {
	return a.do(ctx, request{method: http.MethodPost, path: path, body: body})
}

// create makes something whose name Keycloak keeps unique, and gives its id.
func (a *Admin) create(ctx context.Context, path string, body any) (string, error) {
	var id string
	err := a.do(ctx, request{method: http.MethodPost, path: path, body: body, repeatable: true, created: &id})
	return id, err
}

// remove deletes; what is not there is removed already.
func (a *Admin) remove(ctx context.Context, path string) error {
	err := a.do(ctx, request{method: http.MethodDelete, path: path})
	if IsStatus(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// do sends a request with a token, once more with a new one if the token is not taken, and again if the server is in trouble.
func (a *Admin) do(ctx context.Context, r request) error {
	var payload []byte
	if r.body != nil {
		var err error
		if payload, err = json.Marshal(r.body); err != nil {
			return fmt.Errorf("%s %s: %w", r.method, r.path, err)
		}
	}
	return a.retrying(ctx, !r.single && (r.repeatable || r.method != http.MethodPost), func(ctx context.Context) error {
		err := a.once(ctx, r, payload)
		if IsStatus(err, http.StatusUnauthorized) && !errors.Is(err, ErrCredentials) {
			a.Reauthenticate()
			err = a.once(ctx, r, payload)
		}
		return err
	})
}

func (a *Admin) once(ctx context.Context, r request, payload []byte) error {
	where := "/admin" + r.path
	response, body, err := a.inTurn(ctx, r.method, where, payload)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return answer(r.method, where, response.StatusCode, body)
	}
	if r.created != nil {
		*r.created = path.Base(response.Header.Get("Location"))
	}
	if r.out == nil || len(body) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(r.out); err != nil {
		return fmt.Errorf("%s %s: the answer is not what the admin API gives (%w); is this address a Keycloak with its relative path?", r.method, where, err)
	}
	return nil
}

// inTurn sends a request when its turn has come. The token is taken then and not before: it may end while others write.
func (a *Admin) inTurn(ctx context.Context, method, path string, payload []byte) (*http.Response, []byte, error) {
	defer a.turn(method)()
	bearer, err := a.accessToken(ctx)
	if err != nil {
		return nil, nil, err
	}
	return a.roundTrip(ctx, method, path, bearer, "application/json", payload)
}

// turn waits until a request may be sent, and gives what ends its turn.
func (a *Admin) turn(method string) (done func()) {
	if method == http.MethodGet {
		a.turns.RLock()
		return a.turns.RUnlock
	}
	a.turns.Lock()
	return a.turns.Unlock
}

// Limits of one attempt: a connection through a tunnel to a pod that is gone may hang, and no answer is larger than the
// server info's 300 KB but for lists.
const (
	attemptTime = 30 * time.Second
	maxAnswer   = 64 << 20
)

// roundTrip sends one request and reads its answer, and notes whether the server is in trouble.
func (a *Admin) roundTrip(ctx context.Context, method, path, bearer, contentType string, payload []byte) (*http.Response, []byte, error) {
	limit, err := a.outage.admit(time.Now())
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	httpRequest, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(payload))
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	httpRequest.Header.Set("Accept", "application/json")
	if payload != nil {
		httpRequest.Header.Set("Content-Type", contentType)
	}
	if bearer != "" {
		httpRequest.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, body, err := a.exchange(httpRequest)
	switch {
	case err != nil:
		unreachable := &unreachableError{method: method, path: path, address: a.base, err: err}
		if !unreachable.lasting() {
			a.outage.failed()
		}
		return nil, nil, unreachable
	case secret.Redirected(response) != nil:
		return nil, nil, fmt.Errorf("%s %s: Keycloak at %s answers %d: %w; write the address as it is after that into auth.url, with https and the relative path",
			method, path, a.base, response.StatusCode, secret.Redirected(response))
	case response.StatusCode >= http.StatusInternalServerError:
		a.outage.failed()
	default:
		a.outage.over()
	}
	return response, body, nil
}

func (a *Admin) exchange(request *http.Request) (*http.Response, []byte, error) {
	response, err := a.http.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response, body, err
}
