package onyxia

import (
	"strings"
	"testing"
)

// The web of charts from 8.0.0 on throws on whatever does not begin with a slash; %PUBLIC_URL% is replaced by nothing
// where it is served from the root (web 11.5.1, ensureUrlIsSafe.ts).
func TestCheckTerms(t *testing.T) {
	for _, c := range []struct {
		chart, url string
		ok         bool
	}{
		{chart11, "%PUBLIC_URL%/custom-resources/en.md", true},
		{chart11, "/custom-resources/en.md", true},
		{chart11, "https://example.org/terms.md", false},
		{chart11, "http://onyxia.demo.test/terms.md", false},
		{chart11, "//example.org/terms.md", false},
		{chart11, "%PUBLIC_URL%//example.org/terms.md", false},
		{chart11, "custom-resources/en.md", false},
		{chart11, "", false},
		{chart4, "https://example.org/terms.md", true},
	} {
		err := CheckTerms(c.chart, map[string]string{"en": c.url})
		if (err == nil) != c.ok {
			t.Errorf("%s %q: %v", c.chart, c.url, err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "auth.terms: "+c.url) || !strings.Contains(err.Error(), "CUSTOM_RESOURCES")) {
			t.Errorf("%s %q: the way out is not told: %v", c.chart, c.url, err)
		}
	}
	if err := CheckTerms(chart11, nil); err != nil {
		t.Error(err)
	}
	if err := CheckTerms("8.12.0", nil); err == nil {
		t.Error("a chart that nobody knows passes")
	}
}

// The admin's own values may bring terms as well.
func TestLintTerms(t *testing.T) {
	const resources = "CUSTOM_RESOURCES: 'https://example.org/r.zip', "
	for name, c := range map[string]struct {
		chart, env string
		severity   Severity
		message    string
	}{
		"a file of the zip":           {chart11, resources + "TERMS_OF_SERVICES: '%PUBLIC_URL%/custom-resources/t.md'", "", ""},
		"files of the zip":            {chart11, resources + `TERMS_OF_SERVICES: '{"en": "/custom-resources/en.md"}'`, "", ""},
		"JSON5":                       {chart11, resources + `TERMS_OF_SERVICES: '{en: "/custom-resources/en.md"}'`, "", ""},
		"no zip":                      {chart11, "TERMS_OF_SERVICES: '%PUBLIC_URL%/custom-resources/t.md'", SeverityWarning, "nobody can read"},
		"elsewhere":                   {chart11, resources + "TERMS_OF_SERVICES: 'https://example.org/t.md'", SeverityError, "an address of another host"},
		"elsewhere in one language":   {chart11, resources + `TERMS_OF_SERVICES: '{"en": "/custom-resources/en.md", "fr": "https://example.org/fr.md"}'`, SeverityError, "an address of another host"},
		"elsewhere, JSON5":            {chart11, resources + `TERMS_OF_SERVICES: '{en: "https://example.org/t.md"}'`, SeverityError, "an address of another host"},
		"without a slash":             {chart11, resources + "TERMS_OF_SERVICES: 't.md'", SeverityError, "an address of another host"},
		"elsewhere, as 4.1.1 lets it": {chart4, "TERMS_OF_SERVICES: 'https://example.org/t.md'", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			findings := linted(t, c.chart, "", "web: {env: {"+c.env+"}}")
			if c.severity != "" {
				wantFinding(t, findings, c.severity, "web.env.TERMS_OF_SERVICES", c.message, "")
				return
			}
			for _, f := range findings {
				if strings.Contains(f.Path, "TERMS") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}
