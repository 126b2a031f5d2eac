package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// answerLimit is the most of an answer that is read, in bytes. Vault's own limit on a request is 32 MiB.
const answerLimit = 32 << 20

// Client talks to one Vault with one token, or with none. It is safe for concurrent use.
type Client struct {
	// HTTP carries the requests; it may dial through a port-forward.
	HTTP *http.Client
	// Address is where Vault's API is, without /v1: "http://127.0.0.1:8200".
	Address string
	// Token goes along as X-Vault-Token; it may be empty.
	Token Secret
}

// WithToken is the same client with another token.
func (c *Client) WithToken(token Secret) *Client {
	return &Client{HTTP: c.HTTP, Address: c.Address, Token: token}
}

// Read gets what is at a path into out, which may be nil. Nothing there is ErrNotFound.
func (c *Client) Read(ctx context.Context, path string, out any) error {
	return c.request(ctx, http.MethodGet, path, nil, out)
}

// List gets the keys below a path. No keys is ErrNotFound, as Vault has it.
func (c *Client) List(ctx context.Context, path string) ([]string, error) {
	var answer struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
	}
	err := c.request(ctx, http.MethodGet, path+"?list=true", nil, &answer)
	return answer.Data.Keys, err
}

// Write puts a document to a path and reads the answer into out, which may be nil.
func (c *Client) Write(ctx context.Context, path string, in, out any) error {
	return c.request(ctx, http.MethodPut, path, in, out)
}

// Delete removes what is at a path. That nothing is there is no error.
func (c *Client) Delete(ctx context.Context, path string) error {
	err := c.request(ctx, http.MethodDelete, path, nil, nil)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (c *Client) request(ctx context.Context, method, path string, in, out any) error {
	status, body, err := c.exchange(ctx, method, path, in)
	if err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return c.refusal(method, path, status, body)
	}
	if out == nil {
		return nil
	}
	if len(body) == 0 {
		return &APIError{Method: method, Path: path, Status: http.StatusNotFound, cause: ErrNotFound}
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("vault: %s %s: the answer is no JSON of the form expected: %w; is %s really a Vault?", method, path, err, c.Address)
	}
	return nil
}

// exchange sends one request and reads the answer, whatever its status.
func (c *Client) exchange(ctx context.Context, method, path string, in any) (int, []byte, error) {
	req, err := c.newRequest(ctx, method, path, in)
	if err != nil {
		return 0, nil, err
	}
	res, err := secret.Direct(c.HTTP).Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("vault: %s %s: %w", method, path, unwrapURL(err))
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		return 0, nil, fmt.Errorf("vault: %s %s: %d: sent on to %s, which is not followed with a token; give the address of the active Vault, or a path without empty and dotted parts",
			method, path, res.StatusCode, res.Header.Get("Location"))
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return 0, nil, fmt.Errorf("vault: %s %s: the answer broke off: %w", method, path, err)
	}
	return res.StatusCode, body, nil
}

func (c *Client) newRequest(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("vault: %s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.location(path), body)
	if err != nil {
		return nil, fmt.Errorf("vault: %s %s: %w; check the address %s", method, path, unwrapURL(err), c.Address)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	// Vault asks for this header from clients that are no browser, so that a page cannot forge a request.
	req.Header.Set("X-Vault-Request", "true")
	if !c.Token.Empty() {
		req.Header.Set("X-Vault-Token", c.Token.Reveal())
	}
	return req, nil
}

// location escapes the path, so that a name with odd characters stays the name it is.
func (c *Client) location(path string) string {
	path, query, hasQuery := strings.Cut(path, "?")
	text := strings.TrimRight(c.Address, "/") + (&url.URL{Path: "/v1/" + path}).EscapedPath()
	if hasQuery {
		text += "?" + query
	}
	return text
}

// refusal makes an error of an answer. What Vault says never repeats the token, and if it did, it would be cut out.
func (c *Client) refusal(method, path string, status int, body []byte) error {
	var answer struct {
		Errors []string `json:"errors"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		answer.Errors = []string{fmt.Sprintf("%d bytes that are no JSON; is there something between us and Vault?", len(body))}
	}
	messages := make([]string, 0, len(answer.Errors))
	for _, m := range answer.Errors {
		if !c.Token.Empty() {
			m = strings.ReplaceAll(m, c.Token.Reveal(), redacted)
		}
		messages = append(messages, strings.Join(strings.Fields(m), " "))
	}
	return &APIError{Method: method, Path: path, Status: status, Messages: messages, cause: causeOf(status, messages)}
}

// unwrapURL drops net/http's repetition of method and address.
func unwrapURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
