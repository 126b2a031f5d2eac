package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/onyxia"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// maxBody bounds the configuration that is read: a real one has some 10 kB.
const maxBody = 4 << 20

// served is what users get: the public configuration, asked for through the ingress and its certificate. The release
// being rolled out proves nothing: the pod of the previous revision goes on answering for half a minute (Onyxia 11.5.1).
type served struct {
	env    stage.Env
	url    string
	chart  string
	values map[string]any
}

func newServed(env stage.Env, chart string, values map[string]any) *served {
	return &served{env: env, chart: chart, url: env.Platform.OnyxiaURL() + "/api/public/configuration", values: values}
}

// trouble asks, and gives what is wrong with the answer.
func (s *served) trouble(ctx context.Context) (string, error) {
	if _, err := s.env.Links.Address.Get(); err != nil {
		return "", err
	}
	if err := s.ask(ctx); err != nil {
		if ctx.Err() != nil {
			return "", err
		}
		return err.Error(), nil
	}
	return "", nil
}

func (s *served) ask(ctx context.Context) error {
	client, err := s.env.Public()
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", s.url, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return explained(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return fmt.Errorf("%s: %w", s.url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", s.url, response.Status)
	}
	return onyxia.Matches(s.chart, s.values, body)
}

// explained adds the way out to the one failure that an admin can mend here, and says of a slow answer what it means.
func explained(err error) error {
	var unknown x509.UnknownAuthorityError
	var request *url.Error
	switch {
	case errors.As(err, &request) && request.Timeout():
		return fmt.Errorf("%s does not answer in time", request.URL)
	case errors.As(err, &unknown):
		return fmt.Errorf("%w; if the authority is your own, name its PEM file by the key trust.caBundle", err)
	}
	return err
}
