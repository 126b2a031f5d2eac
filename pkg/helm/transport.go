package helm

import (
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// boundTransport ends requests when a context of ours ends. Helm makes its requests under context.Background.
type boundTransport struct {
	ctx  context.Context
	base http.RoundTripper
}

func (t *boundTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.ctx.Err() != nil {
		return nil, context.Cause(t.ctx)
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		if err := engine.StillLocked(t.ctx); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	stop := context.AfterFunc(t.ctx, func() { cancel(context.Cause(t.ctx)) })
	release := sync.OnceFunc(func() { stop(); cancel(nil) })
	resp, err := t.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cause := context.Cause(ctx)
		release()
		if t.ctx.Err() != nil && cause != nil {
			return nil, cause
		}
		return nil, err
	}
	resp.Body = &boundBody{ReadCloser: resp.Body, release: release}
	return resp, nil
}

// boundBody keeps the request's context alive until the answer was read.
type boundBody struct {
	io.ReadCloser
	release func()
}

func (b *boundBody) Close() error {
	err := b.ReadCloser.Close()
	b.release()
	return err
}
