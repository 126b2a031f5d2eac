package s3

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// reachable is the server at its public address, as a browser on Onyxia's page meets it.
type reachable struct{ site *site }

// beforeReach are the steps that bring the traffic there.
func (s *site) beforeReach() []engine.ID {
	return append(s.afterServer(), stage.AddressID, stage.CertificateID)
}

// trouble asks what a browser asks, and gives what is wrong with the answer.
func (r *reachable) trouble(ctx context.Context) (string, error) {
	if _, err := r.site.env.Links.Address.Get(); err != nil && r.site.env.Platform.S3.InstallsMinIO() {
		return "", err
	}
	err := r.ask(ctx)
	if err != nil && ctx.Err() == nil {
		return err.Error(), nil
	}
	return "", err
}

// ask sends the question by which a browser finds out whether a page of Onyxia may upload (Fetch standard, CORS preflight).
// Servers other than MinIO answer it for each bucket by rules of its owner, so there any answer of S3 will do.
func (r *reachable) ask(ctx context.Context) error {
	address := r.site.env.Platform.S3URL()
	client, err := r.site.env.Public()
	if err != nil {
		return err
	}
	method := http.MethodGet
	if r.site.env.Platform.S3.HasMinIOAPI() {
		method = http.MethodOptions
	}
	request, err := http.NewRequestWithContext(ctx, method, address+"/", nil)
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	origin := r.site.env.Platform.OnyxiaURL()
	request.Header.Set("Origin", origin)
	request.Header.Set("Access-Control-Request-Method", http.MethodPut)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	// Read to its end, so that the connection can be closed in order; what it says does not matter.
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return judge(address, origin, r.site.env.Platform.S3.HasMinIOAPI(), response)
}

func judge(address, origin string, asked bool, response *http.Response) error {
	switch allowed := response.Header.Get("Access-Control-Allow-Origin"); {
	case response.StatusCode >= http.StatusInternalServerError, response.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s answers %s: no S3 server is behind it yet", address, strings.ToLower(response.Status))
	case !asked:
		return nil
	case response.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("%s answers a browser's preflight with %s", address, strings.ToLower(response.Status))
	case allowed != "*" && allowed != origin:
		return fmt.Errorf("%s does not let pages of %s in (CORS: Access-Control-Allow-Origin is %q); set MINIO_API_CORS_ALLOW_ORIGIN there", address, origin, allowed)
	}
	return nil
}
