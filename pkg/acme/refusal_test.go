package acme

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
)

func TestObtainRefusals(t *testing.T) {
	dns, elsewhere := acmetest.StartDNS(t), acmetest.StartDNS(t)
	ca := acmetest.Start(t, dns, acmetest.Options{Blocked: []string{"blocked.test"}})
	blind := acmetest.Start(t, elsewhere, acmetest.Options{})
	page := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>hello</html>")) }))
	t.Cleanup(page.Close)
	const wrongSecret = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc="
	for name, tc := range map[string]struct {
		change func(t *testing.T, o *Order)
		want   []string
	}{
		"wrong TSIG key": {
			func(t *testing.T, _ *Order) { t.Setenv("DNSUPDATE_TSIG_SECRET", wrongSecret) },
			[]string{"dns provider rfc2136 did not set the TXT record _acme-challenge.onyxia.demo.test.", "DNS update failed", "check DNSUPDATE_NAMESERVER, DNSUPDATE_TSIG_KEY, DNSUPDATE_TSIG_SECRET"},
		},
		"server out of reach": {
			func(t *testing.T, _ *Order) { t.Setenv("DNSUPDATE_NAMESERVER", "127.0.0.1:1") },
			[]string{"dns provider rfc2136 did not set"},
		},
		"authority sees no record": {
			func(_ *testing.T, o *Order) { o.Directory, o.CAPEM = blind.Directory, blind.CAPEM },
			[]string{"did not validate ", "DNS lookup for", "(unauthorized)", "old _acme-challenge record"},
		},
		"blocked name": {
			func(_ *testing.T, o *Order) { o.Names = []string{"www.blocked.test"} },
			[]string{"order a certificate for www.blocked.test", "(rejectedIdentifier)", "does not issue for this name"},
		},
		"untrusted directory": {
			func(_ *testing.T, o *Order) { o.CAPEM = nil },
			[]string{"tls.acme.caBundle", "does not trust"},
		},
		"no certificate in the bundle": {
			func(_ *testing.T, o *Order) { o.CAPEM = []byte("nonsense") },
			[]string{"tls.acme.caBundle holds no certificate"},
		},
		"wrong path": {
			func(_ *testing.T, o *Order) { o.Directory += "ectory" },
			[]string{"not as an ACME directory does", "tls.acme.server"},
		},
		"a web page": {
			func(_ *testing.T, o *Order) { o.Directory, o.CAPEM = page.URL, certificatePEM(page.Certificate()) },
			[]string{"not as an ACME directory does", "tls.acme.server"},
		},
		"nobody there": {
			func(_ *testing.T, o *Order) { o.Directory = "https://127.0.0.1:1/dir" },
			[]string{"cannot be reached", "tls.acme.server", "HTTPS_PROXY"},
		},
		"not https": {
			func(_ *testing.T, o *Order) { o.Directory = "http://127.0.0.1/dir" },
			[]string{"begins with https://", "tls.acme.server"},
		},
		"never visible": {
			func(t *testing.T, o *Order) {
				o.Resolvers, o.port = []string{elsewhere.Addr}, elsewhere.Port()
				t.Setenv("DNSUPDATE_PROPAGATION_TIMEOUT", "1")
			},
			[]string{"is not visible after 1s", "not yet at ns.demo.test (127.0.0.1)", "DNSUPDATE_PROPAGATION_TIMEOUT"},
		},
		"no names":  {func(_ *testing.T, o *Order) { o.Names = nil }, []string{"no names"}},
		"bad names": {func(_ *testing.T, o *Order) { o.Names = []string{"Onyxia"} }, []string{`"Onyxia" is not a name`}},
	} {
		t.Run(name, func(t *testing.T) {
			said := &transcript{}
			order := orderAt(t, ca, dns, said)
			tc.change(t, &order)
			_, err := Obtain(t.Context(), order)
			if err == nil {
				t.Fatal("no error")
			}
			for _, word := range tc.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			for _, secret := range []string{acmetest.Secret, wrongSecret, "PRIVATE KEY"} {
				if strings.Contains(err.Error()+said.String(), secret) {
					t.Errorf("a secret stands in %q or\n%s", err, said)
				}
			}
			t.Log(err)
			noRecords(t, dns)
		})
	}
}
