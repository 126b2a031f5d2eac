package onyxia

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// customResources is where the web serves the files of the zip that CUSTOM_RESOURCES names (web/.env of 11.5.1).
const customResources = "custom-resources/"

// CheckTerms says whether the web application of a chart can show terms at these addresses. That of charts from 8.0.0 on
// throws at start on an address of another host or without a leading slash (ensureUrlIsSafe.ts, the same in 11.5.1).
func CheckTerms(chartVersion string, terms map[string]string) error {
	schema, err := Generation(chartVersion)
	if err != nil || schema == Schema4 {
		return err
	}
	for _, locale := range slices.Sorted(maps.Keys(terms)) {
		if url := terms[locale]; !servedByWeb(url) {
			return fmt.Errorf("auth.terms: %s: the web application of chart %s shows files of its own only, and no page at all otherwise: put the text in a zip, name that by app.values.web.env.CUSTOM_RESOURCES, and write %%PUBLIC_URL%%/custom-resources/FILE here", url, chartVersion)
		}
	}
	return nil
}

// servedByWeb tells a path of the web application from an address elsewhere; "//host/path" is one of those.
func servedByWeb(url string) bool {
	path := strings.TrimPrefix(url, "%PUBLIC_URL%")
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//")
}

// checkWebTerms finds terms that leave the page blank, and those that nobody serves.
func checkWebTerms(l *linter, values map[string]any) {
	env := part(values, "web", "env")
	terms := text(env, "TERMS_OF_SERVICES")
	if terms == "" || !l.atLeast(8, 0, 0) {
		return
	}
	const where, fix = "web.env.TERMS_OF_SERVICES", "put the file in the zip that CUSTOM_RESOURCES names, and write %PUBLIC_URL%/custom-resources/FILE"
	for _, url := range termsURLs(terms) {
		switch {
		case !servedByWeb(url):
			l.fail(where, "an address of another host: the page stays blank for everyone", fix)
			return
		case strings.Contains(url, customResources) && text(env, "CUSTOM_RESOURCES") == "":
			l.warn(where, "a file of the custom resources, of which there are none: people accept terms that nobody can read", "name the zip that has it by CUSTOM_RESOURCES")
			return
		}
	}
}

// termsURLs are the addresses in TERMS_OF_SERVICES: one, or JSON with one for each language. JSON5 that is not JSON is left
// to the web, which knows it.
func termsURLs(terms string) []string {
	var byLocale map[string]string
	switch err := json.Unmarshal([]byte(terms), &byLocale); {
	case err == nil:
		return slices.Sorted(maps.Values(byLocale))
	case strings.HasPrefix(strings.TrimSpace(terms), "{") && strings.Contains(terms, "://"):
		return []string{terms}
	case strings.HasPrefix(strings.TrimSpace(terms), "{"):
		return nil
	}
	return []string{terms}
}
