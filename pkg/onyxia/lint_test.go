package onyxia

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// healthy are values of chart 11 that Lint has nothing to say about, as YAML to change.
const healthy = `
api:
  env: {authentication.mode: openidconnect, oidc.issuer-uri: https://auth.demo.test/realms/datalab}
  serviceAccount: {clusterAdmin: true}
  regions:
    - id: datalab
      services: {singleNamespace: false, expose: {domain: lab.demo.test}}
`

// linted puts values on top of the healthy ones. The region is merged into theirs.
func linted(t *testing.T, chart, region, over string) []Finding {
	t.Helper()
	parse := func(text string) map[string]any {
		var m map[string]any
		if err := yaml.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	values := parse(healthy)
	if strings.HasPrefix(chart, "4.") {
		values = parse(`{serviceAccount: {clusterAdmin: true}, api: {env: {authentication.mode: openidconnect, keycloak.auth-server-url: https://a, keycloak.realm: r},
			regions: [{id: datalab, services: {type: KUBERNETES, singleNamespace: false, expose: {domain: lab.demo.test}}}]}, web: {env: {KEYCLOAK_URL: https://a, KEYCLOAK_REALM: r}}}`)
	}
	part(values, "api")["regions"] = []any{Merge(onlyRegion(t, values), parse(region))}
	return Lint(chart, Merge(values, parse(over)))
}

func TestLintHealthy(t *testing.T) {
	for _, chart := range []string{chart4, "4.4.3", "11.0.0", chart11} {
		if got := linted(t, chart, "", ""); len(got) > 0 {
			t.Errorf("%s: %+v", chart, got)
		}
	}
	// Every key is optional but what is checked for: no values are no findings.
	if got := Lint(chart11, nil); len(got) > 0 {
		t.Errorf("no values: %+v", got)
	}
}

// The keys that were renamed or removed, and since when (the table of onyxia-api's and onyxia's releases).
func TestLintOutdatedKeys(t *testing.T) {
	for path, c := range map[string]struct{ chart, region, message, fix string }{
		"services.type":                              {chart11, `services: {type: KUBERNETES}`, "removed in chart 9.0.0", "take it out"},
		"services.cloudshell":                        {chart11, `services: {cloudshell: {catalogId: x}}`, "removed in chart 7.14.0", "take it out"},
		"services.initScript":                        {chart11, `services: {initScript: "https://x"}`, "removed in chart 9.0.0", "take it out"},
		"services.customInitScript":                  {chart11, `services: {customInitScript: {}}`, "removed in chart 9.0.0", "take it out"},
		"services.quotas.enabled":                    {chart11, `services: {quotas: {enabled: true}}`, "replaced in chart 10.0.0", "userEnabled"},
		"services.quotas.default":                    {chart11, `services: {quotas: {default: {requests.cpu: "1"}}}`, "replaced in chart 10.0.0", "user and group"},
		"location":                                   {chart11, `location: {lat: 1}`, "removed in chart 10.2.0", "take it out"},
		"auth":                                       {chart4, `auth: {type: openidconnect}`, "never was a key", "authentication.mode"},
		"vault.keycloakParams":                       {chart11, `vault: {keycloakParams: {clientId: vault}}`, "replaced in chart 5.0.0", "oidcConfiguration"},
		"services.k8sPublicEndpoint.keycloakParams":  {chart11, `services: {k8sPublicEndpoint: {keycloakParams: {}}}`, "replaced in chart 5.0.0", "oidcConfiguration"},
		"data.S3.type":                               {chart11, `data: {S3: {URL: u, type: minio}}`, "removed in chart 8.0.0", "take it out"},
		"data.S3.bucketPrefix":                       {chart11, `data: {S3: {URL: u, bucketPrefix: user-}}`, "replaced in chart 8.0.0", "bookmarks"},
		"data.S3.groupBucketPrefix":                  {chart11, `data: {S3: {URL: u, groupBucketPrefix: g-}}`, "replaced in chart 8.0.0", "bookmarks"},
		"data.S3.bucketClaim":                        {chart11, `data: {S3: {URL: u, bucketClaim: sub}}`, "replaced in chart 8.0.0", "claimName"},
		"data.S3.defaultDurationSeconds":             {chart11, `data: {S3: {URL: u, defaultDurationSeconds: 1}}`, "replaced in chart 8.0.0", "sts.durationSeconds"},
		"data.S3.roleARN":                            {chart11, `data: {S3: {URL: u, roleARN: a}}`, "replaced in chart 8.0.0", "sts.role.roleARN"},
		"data.S3.roleSessionName":                    {chart11, `data: {S3: {URL: u, roleSessionName: a}}`, "replaced in chart 8.0.0", "sts.role.roleSessionName"},
		"data.S3.oidcConfiguration":                  {chart11, `data: {S3: {URL: u, oidcConfiguration: {}}}`, "replaced in chart 8.0.0", "sts.oidcConfiguration"},
		"data.S3.keycloakParams":                     {chart11, `data: {S3: {URL: u, keycloakParams: {}}}`, "replaced in chart 5.0.0", "sts.oidcConfiguration"},
		"data.S3.acceptBucketCreation":               {chart11, `data: {S3: {URL: u, acceptBucketCreation: true}}`, "removed in chart 8.0.0", "take it out"},
		"data.S3.monitoring":                         {chart11, `data: {S3: {URL: u, monitoring: {}}}`, "removed in chart 8.0.0", "take it out"},
		"data.S3.workingDirectory":                   {chart11, `data: {S3: {URL: u, workingDirectory: {bucketMode: multi}}}`, "replaced in chart 11.0.0", "bookmarks and sts.role"},
		"data.S3.bookmarkedDirectories":              {chart11, `data: {S3: {URL: u, bookmarkedDirectories: []}}`, "replaced in chart 11.0.0", "bookmarks"},
		"data.S3.bookmarks[0].fullPath":              {chart11, `data: {S3: {URL: u, bookmarks: [{fullPath: a}]}}`, "replaced in chart 11.0.0", "s3Uri"},
		"data.atlas":                                 {chart11, `data: {atlas: {}}`, "removed in chart 9.0.0", "take it out"},
		"git":                                        {chart4, `git: {type: gitlab}`, "known from chart 7.14.0 on", "take it out"},
		"vault.prefix":                               {chart4, `vault: {URL: u, kvEngine: k, role: r, prefix: user-, keycloakParams: {URL: u, realm: r, clientId: c}}`, "known from chart 8.12.0 on", "take it out"},
		"services.expose.certManager":                {chart4, `services: {expose: {certManager: {}}}`, "known from chart 8.12.0 on", "take it out"},
		"services.namespaceAnnotationsDynamic":       {chart4, `services: {namespaceAnnotationsDynamic: {}}`, "known from chart 8.23.0 on", "take it out"},
		"services.quotas.roles":                      {chart4, `services: {quotas: {roles: {}}}`, "known from chart 10.0.0 on", "take it out"},
		"services.defaultConfiguration.IPProtection": {chart4, `services: {defaultConfiguration: {IPProtection: true}}`, "never was a key", "ipprotection"},
	} {
		t.Run(path, func(t *testing.T) {
			wantFinding(t, linted(t, c.chart, c.region, ""), SeverityWarning, "api.regions[0]."+path, c.message, c.fix)
		})
	}
}

func TestLintUnknownKeys(t *testing.T) {
	for path, c := range map[string]struct{ region, over, fix string }{
		"api.regions[0].servces":                                {`servces: {}`, "", `did you mean "services"?`},
		"api.regions[0].services.singleNamspace":                {`services: {singleNamspace: true}`, "", `did you mean "singleNamespace"?`},
		"api.regions[0].services.expose.ingressclassname":       {`services: {expose: {ingressclassname: x}}`, "", `did you mean "ingressClassName"?`},
		"api.regions[0].data.s3":                                {`data: {s3: {}}`, "", `did you mean "S3"?`},
		"api.regions[0].data.S3.sts.oidcConfiguration.clientId": {`data: {S3: {URL: u, sts: {role: {profileName: p}, oidcConfiguration: {clientId: x}}}}`, "", `did you mean "clientID"?`},
		"api.regions[0].data.S3.profileName":                    {`data: {S3: {URL: u, profileName: default}}`, "", "take it out"},
		`api.regions[0].services.quotas.user["request.cpu"]`:    {`services: {quotas: {user: {request.cpu: "1"}}}`, "", `did you mean "requests.cpu"?`},
		"api.regions[0].anythingElse":                           {`anythingElse: 1`, "", "take it out"},
		"ingres":                                                {"", `ingres: {enabled: true}`, `did you mean "ingress"?`},
		"ingress.hosts[0].paths":                                {"", `ingress: {hosts: [{host: a, paths: [/]}]}`, "take it out"},
		"api.region":                                            {"", `api: {region: []}`, `did you mean "regions"?`},
		"web.environment":                                       {"", `web: {environment: {}}`, "take it out"},
		"web.env.HEADER_TEXT_BLOD":                              {"", `web: {env: {HEADER_TEXT_BLOD: x}}`, `did you mean "HEADER_TEXT_BOLD"?`},
		"web.env.VITE_HEADER_TEXT_BOLD":                         {"", `web: {env: {VITE_HEADER_TEXT_BOLD: x}}`, `did you mean "HEADER_TEXT_BOLD"?`},
		"web.env.REACT_APP_TERMS_OF_SERVICES":                   {"", `web: {env: {REACT_APP_TERMS_OF_SERVICES: x}}`, `did you mean "TERMS_OF_SERVICES"?`},
		`api.env["oidc.clientId"]`:                              {"", `api: {env: {oidc.clientId: x}}`, `did you mean "oidc.clientID"?`},
	} {
		t.Run(path, func(t *testing.T) {
			wantFinding(t, linted(t, chart11, c.region, c.over), SeverityWarning, path, "chart 11.5.1 has no such key", c.fix)
		})
	}
}

// Spring takes any property from the API's variables, so those that are near nothing are left alone.
func TestLintLeavesSpringAlone(t *testing.T) {
	if got := linted(t, chart11, "", `api: {env: {logging.level.root: DEBUG, server.forward-headers-strategy: native, JAVA_OPTS: -Xmx1g}}`); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestLintChartAndEnvironment(t *testing.T) {
	for path, c := range map[string]struct {
		chart, over string
		severity    Severity
		message     string
	}{
		"serviceAccount":                 {chart11, `serviceAccount: {clusterAdmin: true}`, SeverityWarning, "replaced in chart 6.0.0"},
		"imagePullSecrets":               {chart11, `imagePullSecrets: []`, SeverityWarning, "replaced in chart 10.26.1"},
		"hostAliases":                    {chart11, `hostAliases: []`, SeverityWarning, "replaced in chart 10.26.1"},
		"ui":                             {chart11, `ui: {}`, SeverityWarning, "replaced in chart 4.0.0"},
		"httpRoute":                      {chart4, `httpRoute: {enabled: true}`, SeverityWarning, "known from chart 10.32.8 on"},
		"onboarding":                     {chart4, `onboarding: {}`, SeverityWarning, "known from chart 10.26.1 on"},
		"api.serviceAccount":             {chart4, `api: {serviceAccount: {clusterAdmin: true}}`, SeverityWarning, "known from chart 6.0.0 on"},
		"api.schemas":                    {chart4, `api: {schemas: {}}`, SeverityWarning, "known from chart 9.0.0 on"},
		"web.env.KEYCLOAK_URL":           {chart11, `web: {env: {KEYCLOAK_URL: u}}`, SeverityWarning, "replaced in chart 5.0.0"},
		"web.env.JWT_USERNAME_CLAIM":     {chart4, `web: {env: {JWT_USERNAME_CLAIM: u}}`, SeverityWarning, "replaced in chart 4.0.0"},
		"web.env.THEME_ID":               {chart11, `web: {env: {THEME_ID: u}}`, SeverityWarning, "replaced in chart 7.0.0"},
		"web.env.HEADER_TEXT_BOLD":       {chart4, `web: {env: {HEADER_TEXT_BOLD: u}}`, SeverityWarning, "known from chart 7.0.0 on"},
		`api.env["keycloak.realm"]`:      {chart11, `api: {env: {keycloak.realm: r}}`, SeverityWarning, "replaced in chart 5.0.0"},
		`api.env["oidc.issuer-uri"]`:     {chart4, `api: {env: {oidc.issuer-uri: r}}`, SeverityWarning, "known from chart 5.0.0 on"},
		`api.env["http.proxyPassword"]`:  {chart11, `api: {env: {http.proxyPassword: hunter2}}`, SeverityError, "a secret in values"},
		`api.env["authentication.mode"]`: {chart11, `api: {env: {authentication.mode: oidc}}`, SeverityError, `"oidc" is none of none, openidconnect`},
		"api.catalogs":                   {chart11, `api: {catalogs: {id: x}}`, SeverityError, "a map stands where a list is expected"},
		"api.replicaCount":               {chart11, `api: {replicaCount: two}`, SeverityError, "text stands where a whole number is expected"},
		"ingress.enabled":                {chart11, `ingress: {enabled: "yes"}`, SeverityError, "text stands where true or false is expected"},
		"web.env.TERMS_OF_SERVICES":      {chart11, `web: {env: {TERMS_OF_SERVICES: "https://example.org/t.md"}}`, SeverityError, "an address of another host"},
		"web.env.HEADER_LINKS":           {chart11, `web: {env: {HEADER_LINKS: [a]}}`, SeverityError, "a list stands where one value is expected"},
	} {
		t.Run(path, func(t *testing.T) {
			wantFinding(t, linted(t, c.chart, "", c.over), c.severity, path, c.message, "")
		})
	}
}

// What stops the API or leaves the page blank is an error.
func TestLintFatal(t *testing.T) {
	for name, c := range map[string]struct{ chart, region, over, path, message string }{
		"S3 with sts and no role":        {chart11, `data: {S3: {URL: u, sts: {durationSeconds: 1}}}`, "", "api.regions[0].data.S3.sts.role", "blank for every user"},
		"the second of two S3 blocks":    {chart11, `data: {S3: [{URL: u}, {URL: v, sts: {}}]}`, "", "api.regions[0].data.S3[1].sts.role", "blank for every user"},
		"an empty list of roles":         {chart11, `data: {S3: {URL: u, sts: {role: []}}}`, "", "api.regions[0].data.S3.sts.role", "blank for every user"},
		"a role without a name":          {chart11, `data: {S3: {URL: u, sts: {role: [{roleARN: ""}]}}}`, "", "api.regions[0].data.S3.sts.role[0].profileName", "missing"},
		"S3 without a server":            {chart11, `data: {S3: {region: r}}`, "", "api.regions[0].data.S3.URL", "missing"},
		"Vault without a client":         {chart11, `vault: {URL: u, kvEngine: k, role: r}`, "", "api.regions[0].vault.oidcConfiguration", "missing"},
		"Vault with half a client":       {chart11, `vault: {URL: u, kvEngine: k, role: r, oidcConfiguration: {issuerURI: i}}`, "", "api.regions[0].vault.oidcConfiguration.clientID", "missing"},
		"Vault without its engine":       {chart11, `vault: {URL: u, role: r, oidcConfiguration: {clientID: c}}`, "", "api.regions[0].vault.kvEngine", "missing"},
		"4: Vault without a client":      {chart4, `vault: {URL: u, kvEngine: k, role: r}`, "", "api.regions[0].vault.keycloakParams", "missing"},
		"4: Vault, parameters in part":   {chart4, `vault: {URL: u, kvEngine: k, role: r, keycloakParams: {clientId: c}}`, "", "api.regions[0].vault.keycloakParams.realm", "missing"},
		"4: S3, parameters in part":      {chart4, `data: {S3: {type: minio, URL: u, keycloakParams: {clientId: c}}}`, "", "api.regions[0].data.S3.keycloakParams.URL", "missing"},
		"defaultConfiguration from 9 on": {"9.0.0", `services: {defaultConfiguration: {}}`, "", "api.regions[0].services.defaultConfiguration", "does not start with it"},
		"defaultConfiguration in 11":     {chart11, `services: {defaultConfiguration: {networkPolicy: true}}`, "", "api.regions[0].services.defaultConfiguration", "exits with code 0"},
		"no domain for services":         {chart11, `services: {expose: {domain: null}}`, "", "api.regions[0].services.expose.domain", "blank for everyone"},
		"a region without id":            {chart11, `id: null`, "", "api.regions[0].id", "missing"},
		"4: no type of services":         {chart4, `services: {type: null}`, "", "api.regions[0].services.type", "does not start without"},
		"another mode":                   {chart11, `services: {authenticationMode: user}`, "", "api.regions[0].services.authenticationMode", "is none of serviceAccount"},
		"4: another mode":                {chart4, `services: {authenticationMode: serviceAccount}`, "", "api.regions[0].services.authenticationMode", "is none of impersonate"},
		"a map for text":                 {chart11, `name: {en: Lab}`, "", "api.regions[0].name", "a map stands where one value is expected"},
		"a word for a boolean":           {chart11, `services: {userNamespace: "no"}`, "", "api.regions[0].services.userNamespace", "text stands where true or false"},
		"a word for a number":            {chart11, `data: {S3: {URL: u, sts: {durationSeconds: 1d, role: {profileName: p}}}}`, "", "api.regions[0].data.S3.sts.durationSeconds", "text stands where a whole number"},
		"a list for a map":               {chart11, `services: {namespaceLabels: [a]}`, "", "api.regions[0].services.namespaceLabels", "a list stands where a map"},
		"regions as text":                {chart11, "", `api: {regions: "[]"}`, "api.regions", "text stands where a list"},
		"a region as text":               {chart11, "", `api: {regions: [x]}`, "api.regions[0]", "text stands where a map"},
		"credentials of a server":        {chart11, `services: {server: {URL: u, auth: {token: hunter2}}}`, "", "api.regions[0].services.server.auth.token", "a secret in values"},
		"a catalogue's password (B8)":    {chart11, "", `api: {catalogs: [{id: x, username: u, password: hunter2}]}`, "api.catalogs[0].password", "a secret in values"},
		"a proxy's login (B8)":           {chart11, `proxyInjection: {httpProxyUrl: "http://u:hunter2@proxy:3128"}`, "", "api.regions[0].proxyInjection.httpProxyUrl", "a login in its address"},
		"login without an issuer":        {chart11, "", `api: {env: {oidc.issuer-uri: ""}}`, `api.env["oidc.issuer-uri"]`, "does not start without an issuer"},
		"4: Keycloak for the web alone":  {chart4, "", `api: {env: {authentication.mode: none}}`, "web.env.KEYCLOAK_URL", "the web logs in and the API does not"},
		"4: Keycloak for the API alone":  {chart4, "", `web: {env: {KEYCLOAK_URL: null}}`, "web.env.KEYCLOAK_URL", "not the same"},
		"4: two realms":                  {chart4, "", `web: {env: {KEYCLOAK_REALM: other}}`, "web.env.KEYCLOAK_REALM", "not the same"},
	} {
		t.Run(name, func(t *testing.T) {
			wantFinding(t, linted(t, c.chart, c.region, c.over), SeverityError, c.path, c.message, "")
		})
	}
}

func TestLintWarnings(t *testing.T) {
	for name, c := range map[string]struct{ chart, region, over, path, message string }{
		"every role for some users only": {chart11, `data: {S3: {URL: u, sts: {role: [{profileName: p, claimName: groups}]}}}`, "", "api.regions[0].data.S3.sts.role", "each role asks for a claim"},
		"4: S3 without a type":           {chart4, `data: {S3: {URL: u}}`, "", "api.regions[0].data.S3.type", "takes no notice"},
		"namespaces without rights":      {chart11, "", `api: {serviceAccount: {clusterAdmin: false}}`, "api.regions", "the first login of each user fails"},
		"4: namespaces without rights":   {chart4, "", `serviceAccount: null`, "api.regions", "the first login of each user fails"},
		"placeholder (D15)":              {chart11, `services: {monitoring: {URLPattern: todo}}`, "", "api.regions[0].services.monitoring.URLPattern", "a placeholder"},
		"placeholder in a list":          {chart11, `data: {S3: [{URL: TODO}]}`, "", "api.regions[0].data.S3[0].URL", "a placeholder"},
		"CORS (D14)":                     {chart11, "", `api: {env: {security.cors.allowed_origins: "http://localhost:3000"}}`, `api.env["security.cors.allowed_origins"]`, "a developer's machine"},
		"no tls block (D6)":              {chart11, "", `ingress: {enabled: true, hosts: [{host: a}, {host: b}], tls: [{hosts: [a]}]}`, "ingress.hosts[1]", "plain http is not redirected"},
		"class by annotation (D5)":       {chart11, "", `ingress: {enabled: true, annotations: {kubernetes.io/ingress.class: nginx}}`, `ingress.annotations["kubernetes.io/ingress.class"]`, "deprecated"},
		"a chart of tomorrow":            {"12.0.0", "", "", "", "newer than the keys that are known here"},
	} {
		t.Run(name, func(t *testing.T) {
			wantFinding(t, linted(t, c.chart, c.region, c.over), SeverityWarning, c.path, c.message, "")
		})
	}
}

// What the API takes as well as the right type is no finding.
func TestLintCoercions(t *testing.T) {
	region := `
services:
  authenticationMode: Admin
  userNamespace: "true"
  quotas: {user: {requests.cpu: 2, count/pods: "5"}}
  namespaceLabels: {a: 1}
data: {S3: [{URL: u, bookmarks: [{s3Uri: s, title: {en: a}, forProfileName: [p]}]}]}`
	if got := linted(t, chart11, region, ""); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestLintSaysNoSecret(t *testing.T) {
	for _, f := range linted(t, chart11, `services: {server: {auth: {token: hunter2}}}`, `api: {env: {http.proxyPassword: hunter2}}`) {
		if strings.Contains(f.Message+f.Fix+f.Path, "hunter2") {
			t.Errorf("%+v", f)
		}
	}
}

func TestLintOfWhatIsNoJSON(t *testing.T) {
	for _, values := range []map[string]any{{"api": map[string]any{"replicaCount": math.NaN()}}, {"api": make(chan int)}} {
		wantFinding(t, Lint(chart11, values), SeverityError, "", "not such as JSON has", "")
	}
	wantFinding(t, Lint("eleven", nil), SeverityError, "", "eleven", "name a version")
	wantFinding(t, Lint("", nil), SeverityError, "", "no version", "name a version")
}

// Values come from Go too, where maps and lists have types of their own.
func TestLintTypedValues(t *testing.T) {
	values := map[string]any{"web": map[string]any{"env": map[string]string{"KEYCLOAK_URL": "u"}}, "ingress": map[string]any{"tls": []map[string]any{{"hosts": []string{"a"}}}}}
	got := Lint(chart11, values)
	if len(got) != 1 {
		t.Errorf("%+v", got)
	}
	wantFinding(t, got, SeverityWarning, "web.env.KEYCLOAK_URL", "replaced in chart 5.0.0", "oidc.issuer-uri")
}

func wantFinding(t *testing.T, got []Finding, severity Severity, path, message, fix string) {
	t.Helper()
	for _, f := range got {
		if f.Path == path && f.Severity == severity && strings.Contains(f.Message, message) && strings.Contains(f.Fix, fix) {
			if f.Fix == "" {
				t.Errorf("%s: says no fix", path)
			}
			return
		}
	}
	t.Errorf("no %s at %q with %q and fix %q in %+v", severity, path, message, fix, got)
}

func FuzzLint(f *testing.F) {
	for _, e := range []string{
		`{}`, `{"api":{"regions":[null,1,"a",[],{}]}}`, `{"api":{"regions":[{"data":{"S3":[null,{"sts":{"role":[null,1]}}]},"vault":1}]}}`,
		`{"api":null,"web":[],"ingress":{"enabled":true,"hosts":[1,{"host":null}],"tls":[{"hosts":{}}]}}`,
		`{"api":{"env":{"authentication.mode":{},"":1}},"web":{"env":{"KEYCLOAK_URL":[]}}}`,
		`{"api":{"regions":[{"services":{"quotas":{"roles":{"":null}},"server":{"auth":1}}}]}}`,
	} {
		f.Add("11.5.1", e)
		f.Add("4.1.1", e)
	}
	f.Add("8.0.0-rc.1", `{"":{"":null}}`)
	for _, name := range []string{"11-external", "11-private-ca", "4-auth-s3-vault"} {
		golden, err := os.ReadFile(filepath.Join("testdata", "values", name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		asJSON, err := yaml.YAMLToJSON(golden)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(chart11, string(asJSON))
		f.Add(chart4, string(asJSON))
	}
	f.Fuzz(func(t *testing.T, chart, text string) {
		var values map[string]any
		if json.Unmarshal([]byte(text), &values) != nil {
			return
		}
		for _, finding := range Lint(chart, values) {
			if finding.Message == "" || finding.Fix == "" || (finding.Severity != SeverityError && finding.Severity != SeverityWarning) {
				t.Errorf("%+v", finding)
			}
		}
		if _, err := Generation(chart); err != nil {
			return
		}
		want, err := served(chart, values)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := Matches(chart, values, answer); err != nil {
			t.Errorf("what we say is served does not match: %v\n%s", err, answer)
		}
	})
}
