package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// words are the cause and the fix for a code that a server gives.
type words struct{ cause, fix string }

// explain adds cause and fix to what the server said.
func explain(e *Error, sent time.Time) {
	if w, known := causes()[e.Code]; known {
		e.Cause, e.Fix = w.cause, w.fix
		return
	}
	if e.Code == "RequestTimeTooSkewed" {
		e.Cause = clocks(sent, e.there)
		e.Fix = "set the clock that is wrong (NTP); S3 allows 15 minutes between them"
		return
	}
	if e.Code == "" {
		explainProxy(e)
	}
}

func causes() map[string]words {
	waiting := words{
		"MinIO waits for its OpenID provider: without the discovery document it loads neither users nor policies",
		"its log says why after \"Unable to initialize OpenID\": the issuer is down, its name does not resolve in the pod, or its certificate is not trusted there",
	}
	elsewhere := words{"the bucket belongs to another region, or to another endpoint, than the one that was asked", "compare s3.region and s3.url with where the bucket is"}
	return map[string]words{
		"PermanentRedirect": elsewhere,
		"TemporaryRedirect": elsewhere,
		"InvalidAccessKeyId": {
			"the server knows no such access key",
			"root credentials: the Secret was changed after the server started, restart its pod; a user's: they have expired or were taken back, get new ones",
		},
		"SignatureDoesNotMatch": {
			"the secret key is not the one of this access key, or a proxy changed the request on its way",
			"compare the Secret with what the server was started with; a proxy has to pass the Host header on",
		},
		"XMinioServerNotInitialized": waiting,
		"STSIAMNotInitialized":       waiting,
		"XMinioIAMNotInitialized":    waiting,
		"InvalidBucketName":          {"S3 takes 3 to 63 lower case letters, digits, dots and dashes", ""},
		"XMinioAdminBucketQuotaExceeded": {
			"the bucket is full",
			"delete objects, or raise s3.quota",
		},
		"XMinioStorageFull":            {"the server's disk is full", "make the volume larger"},
		"EntityTooLarge":               {fmt.Sprintf("a policy may have %d bytes", MaxPolicy), ""},
		"AuthorizationHeaderMalformed": {"the request was signed for another region than the server's", "set s3.region"},
		"ExpiredToken":                 {"the session has ended", "get new credentials by STS"},
	}
}

// clocks says what time it is here and there.
func clocks(here, there time.Time) string {
	if there.IsZero() {
		return fmt.Sprintf("this machine's clock says %s, and the server's is more than 15 minutes off", stamp(here))
	}
	return fmt.Sprintf("this machine's clock says %s, the server's says %s", stamp(here), stamp(there))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// explainProxy is for answers that are not S3's: they come from an ingress or a load balancer in between.
func explainProxy(e *Error) {
	switch e.Status {
	case http.StatusRequestEntityTooLarge:
		e.Cause = "a proxy in front of the server limits the size of uploads"
		e.Fix = "annotate its Ingress with nginx.ingress.kubernetes.io/proxy-body-size: \"0\""
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.Cause = "a proxy answered in the server's place: it has no pod behind it that answers"
		e.Fix = "look at the pods of the server"
	case http.StatusNotFound:
		e.Cause = "what answers here does not read as S3"
		e.Fix = "check the URL and the host of the Ingress"
	}
}

// explainRedirect is for an address that sends requests on, which are not followed.
func explainRedirect(e *Error, res *http.Response) {
	e.Cause = "the address sends requests on to another one, and a token is not sent there"
	if to, err := res.Location(); err == nil {
		e.Cause = fmt.Sprintf("the address sends requests on to %s://%s, and a token is not sent there", to.Scheme, to.Host)
	}
	e.Fix = "set s3.url to the address that answers by itself"
}

// unreachable makes an error of a request without an answer. The URL is left out of it, the endpoint says enough.
func unreachable(ctx context.Context, operation, endpoint string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: no answer from %s: %w", operation, endpoint, context.Cause(ctx))
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	e := &Error{Operation: operation, Message: fmt.Sprintf("no answer from %s: %v", endpoint, err), err: err}
	e.Cause, e.Fix = transport(err)
	return e
}

func transport(err error) (cause, fix string) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there", "the server is not started yet or has stopped: look at its pod and its log"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was cut", "the server was restarted, or a proxy gave up; try again"
	case errors.As(err, &unknown):
		return "its certificate is signed by an authority that this machine does not trust", "put the authority into trust.caBundle"
	case errors.As(err, &name):
		return "its certificate is for another name", "check the certificate of the ingress"
	case errors.As(err, &dns):
		return "the name does not resolve", "check the DNS record"
	case strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return "the server speaks plain HTTP", "use an http:// URL"
	default:
		return "", ""
	}
}
