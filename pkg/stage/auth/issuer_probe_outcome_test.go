package auth

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// Exit codes and words of curl 7.88 (Debian 12) and 8.10.1 (curlimages/curl).
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		code int32
		said string
		want probeResult
	}{
		"an answer, whatever it says":  {0, "", reached},
		"no such name":                 {6, "curl: (6) Could not resolve host: auth.lab.demo.test", unresolved},
		"refused":                      {7, "curl: (7) Failed to connect to auth.lab.demo.test port 443 after 0 ms: Could not connect to server", unconnected},
		"no answer in time":            {28, "curl: (28) Connection timed out after 5002 milliseconds", unconnected},
		"proxy protocol, cut off":      {35, "curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to auth.lab.demo.test:443", unconnected},
		"cut off after the handshake":  {56, "curl: (56) Recv failure: Connection reset by peer", unconnected},
		"nothing received":             {52, "curl: (52) Empty reply from server", unconnected},
		"unknown authority":            {60, "curl: (60) SSL certificate problem: unable to get local issuer certificate\nMore details here: https://curl.se/docs/sslcerts.html", distrusted},
		"the controller's own":         {60, "curl: (60) SSL certificate problem: self-signed certificate", distrusted},
		"expired":                      {60, "curl: (60) SSL certificate problem: certificate has expired", distrusted},
		"for another name":             {60, "curl: (60) SSL: no alternative certificate subject name matches target hostname 'auth.lab.demo.test'", misnamed},
		"for another name, older curl": {51, "curl: (51) SSL: certificate subject name 'x' does not match target host name 'auth.lab.demo.test'", misnamed},
		"no authorities in the image":  {77, "curl: (77) error setting certificate file: /etc/ssl/certs/ca-certificates.crt", untold},
		"no curl in the image":         {127, "sh: curl: not found", untold},
		"killed":                       {137, "", untold},
	} {
		got := judge(c.code, c.said)
		if got.result != c.want {
			t.Errorf("%s: %s, want %s", name, got.result, c.want)
		}
		if strings.Contains(got.said, "\n") || c.want != reached && got.said == "" {
			t.Errorf("%s: said %q", name, got.said)
		}
	}
}

// What a pod's status says, as kubelets write it (Kubernetes 1.31 to 1.36).
func TestEnded(t *testing.T) {
	for name, c := range map[string]struct {
		status string
		want   probeResult // empty while it may still come to something
		said   string
	}{
		"new":            {status: `{phase: Pending}`},
		"being pulled":   {status: `{phase: Pending, containerStatuses: [{state: {waiting: {reason: ContainerCreating}}}]}`},
		"first refusal":  {status: `{phase: Pending, containerStatuses: [{state: {waiting: {reason: ErrImagePull, message: "EOF"}}}]}`},
		"running":        {status: `{phase: Running, containerStatuses: [{state: {running: {}}}]}`},
		"there":          {`{phase: Succeeded, containerStatuses: [{state: {terminated: {exitCode: 0, reason: Completed}}}]}`, reached, ""},
		"there, briefly": {`{phase: Succeeded}`, reached, ""},
		"not there":      {`{phase: Failed, containerStatuses: [{state: {terminated: {exitCode: 6, reason: Error, message: "curl: (6) Could not resolve host: a\n"}}}]}`, unresolved, "curl: (6) Could not resolve host: a"},
		"no image":       {`{phase: Pending, containerStatuses: [{state: {waiting: {reason: ImagePullBackOff, message: "Back-off pulling image"}}}]}`, untold, "ImagePullBackOff: Back-off pulling image"},
		"evicted":        {`{phase: Failed, reason: Evicted, message: "The node was low on resource: memory."}`, untold, "Evicted: The node was low"},
		"not as root":    {`{phase: Pending, containerStatuses: [{state: {waiting: {reason: CreateContainerConfigError, message: "container has runAsNonRoot"}}}]}`, untold, "runAsNonRoot"},
	} {
		t.Run(name, func(t *testing.T) {
			var pod corev1.Pod
			if err := yaml.UnmarshalStrict([]byte(c.status), &pod.Status); err != nil {
				t.Fatal(err)
			}
			got, done := ended(pod)
			if done != (c.want != "") || got.result != c.want || !strings.Contains(got.said, c.said) {
				t.Errorf("%+v, %v", got, done)
			}
		})
	}
}

// Each way that does not lead there has words and a fix, in one line, for a login of ours and for somebody else's.
func TestWordsAndFixes(t *testing.T) {
	for name, auth := range map[string]platform.Auth{"ours": {}, "an issuer": {Mode: "oidc", URL: "https://idp.a.org/x"}} {
		env, _ := datalab(t, auth)
		to := newTrip(env.Platform, "curl:1")
		seen := map[string]bool{}
		for _, w := range []probeResult{unresolved, unconnected, distrusted, misnamed} {
			o := outcome{result: w, said: "curl: (0) x"}
			words, fix := o.words(to), o.fix(env, to)
			if !strings.Contains(words, to.host) || !strings.Contains(words, "curl: (0) x") || fix == "" || strings.Contains(words+fix, "\n") || seen[fix] {
				t.Errorf("%s, %s: %q; %q", name, w, words, fix)
			}
			seen[fix] = true
		}
	}
	env, _ := datalab(t, platform.Auth{})
	fix := outcome{result: unconnected}.fix(env, newTrip(env.Platform, "curl:1"))
	for _, want := range []string{"hairpin", "proxy protocol", "host name", "rewrite name suffix .lab.demo.test SERVICE.traefik.svc.cluster.local"} {
		if !strings.Contains(fix, want) {
			t.Errorf("%q is not named: %s", want, fix)
		}
	}
}

// The pod goes where Onyxia's API, MinIO and Vault will go.
func TestTrip(t *testing.T) {
	for name, c := range map[string]struct {
		auth      platform.Auth
		url, host string
	}{
		"ours":     {url: "https://auth.lab.demo.test/", host: "auth.lab.demo.test"},
		"keycloak": {platform.Auth{Mode: "keycloak", URL: "https://sso.a.org:8443/auth/", CredentialsSecret: "sso/admin"}, "https://sso.a.org:8443/auth/realms/datalab/.well-known/openid-configuration", "sso.a.org"},
		"oidc":     {platform.Auth{Mode: "oidc", URL: "https://idp.a.org/x/"}, "https://idp.a.org/x/.well-known/openid-configuration", "idp.a.org"},
	} {
		env, _ := datalab(t, c.auth)
		if got := newTrip(env.Platform, "curl:1"); got.url != c.url || got.host != c.host {
			t.Errorf("%s: %+v", name, got)
		}
	}
	a, b := trip{url: "https://a"}, trip{url: "https://a", ca: []byte("x")}
	if a.digest() == b.digest() || a.digest() != (trip{url: "https://a", image: "other"}).digest() {
		t.Error("the authorities decide, the image does not")
	}
}
