package spelling

import (
	"slices"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"clientID", "issuerURI", "services", "service", "S3", "requests.cpu"}
	for word, want := range map[string][]string{
		"clientId":      {"clientID"},
		"issueruri":     {"issuerURI"},
		"servces":       {"services", "service"},
		"servicee":      {"services", "service"},
		"s3":            {"S3"},
		"s4":            {"S3"},
		"request.cpu":   {"requests.cpu"},
		"x":             nil,
		"":              nil,
		"somethingElse": nil,
		"vault":         nil,
	} {
		if got := Nearest(word, known); !slices.Equal(got, want) {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestSlips(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"kind", "KIND", 0}, {"rout53", "route53", 1}, {"rfc2163", "rfc2136", 2}, {"réseau", "reseau", 1}, {"abc", "", 3}} {
		if got := Slips(tc.a, tc.b); got != tc.want {
			t.Errorf("Slips(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
