package acme

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/spelling"
)

// catalogue lists lego's DNS providers, one a line: name, then the variables that hold its credentials. A test makes it
// from the sources of the lego version in go.mod (go test ./pkg/acme -run Catalogue -update).
//
//go:embed providers.txt
var catalogue string

// Providers are the names that Order.Provider takes, sorted.
func Providers() []string {
	names := []string{Manual}
	for line := range strings.Lines(catalogue) {
		if name := strings.Fields(line)[0]; name != Manual {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func known(name string) bool { return slices.Contains(Providers(), name) }

// Variables are the environment variables that a provider is configured by; none for Manual. Of some the provider needs only
// one or the other: its description says which (https://go-acme.github.io/lego/dns/). Each may be given with _FILE at its
// end instead, as a file that holds the value.
func Variables(provider string) ([]string, error) {
	if !known(provider) {
		return nil, unknownProvider(provider)
	}
	return append([]string{}, credentials(provider)...), nil
}

// credentials are the variables that a provider is configured by.
func credentials(name string) []string {
	for line := range strings.Lines(catalogue) {
		if fields := strings.Fields(line); fields[0] == name {
			return fields[1:]
		}
	}
	return nil
}

// nameSpaces are how the provider's variables begin. rfc2136 still takes its old names (lego v4.35.2).
func nameSpaces(provider string) []string {
	var out []string
	for _, variable := range credentials(provider) {
		space, _, _ := strings.Cut(variable, "_")
		if !slices.Contains(out, space+"_") {
			out = append(out, space+"_")
		}
	}
	if slices.Contains(out, "DNSUPDATE_") {
		out = append(out, "RFC2136_")
	}
	return out
}

func inNameSpace(provider, variable string) bool {
	return slices.ContainsFunc(nameSpaces(provider), func(space string) bool { return strings.HasPrefix(variable, space) })
}

// prefix is how lego names a provider's settings: OVH_PROPAGATION_TIMEOUT.
func prefix(provider string) string {
	if spaces := nameSpaces(provider); len(spaces) > 0 {
		return spaces[0]
	}
	return strings.ToUpper(provider) + "_"
}

// unknownProvider names the ones that may have been meant.
func unknownProvider(name string) error {
	near := nearest(strings.ToLower(name), Providers())
	hint := ""
	if len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "? "
	}
	return fmt.Errorf("there is no DNS provider %q; %sall %d, with the variables they read, are listed at https://go-acme.github.io/lego/dns/", name, hint, len(Providers()))
}

// nearest are three candidates at most: those that are a slip away from a word, then those that hold it or are part of it.
func nearest(word string, candidates []string) []string {
	near := spelling.Nearest(word, candidates)
	for _, c := range candidates {
		part := len(word) > 2 && strings.Contains(c, word) || len(c) > 2 && strings.Contains(word, c)
		if part && !slices.Contains(near, c) {
			near = append(near, c)
		}
	}
	return near[:min(3, len(near))]
}
