package profile

import (
	"strings"
	"testing"
)

func TestParseImage(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0f", 32)
	for reference, want := range map[string]Image{
		"quay.io/keycloak/keycloak:26.7.4":      {"quay.io", "keycloak/keycloak", "26.7.4", ""},
		"postgres:17.12":                        {"", "postgres", "17.12", ""},
		"hashicorp/vault:2.1.2":                 {"", "hashicorp/vault", "2.1.2", ""},
		"localhost:5000/a/b:1":                  {"localhost:5000", "a/b", "1", ""},
		"localhost/a:1":                         {"localhost", "a", "1", ""},
		"quay.io/a/b@" + digest:                 {"quay.io", "a/b", "", digest},
		"quay.io/a/b:latest@" + digest:          {"quay.io", "a/b", "latest", digest},
		"registry.example.org:8443/a@" + digest: {"registry.example.org:8443", "a", "", digest},
	} {
		got, err := ParseImage(reference)
		if err != nil {
			t.Errorf("%s: %v", reference, err)
			continue
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", reference, got, want)
		}
		if repository, tag := got.Halves(); repository+":"+tag != reference {
			t.Errorf("%s: the halves %q and %q make another reference", reference, repository, tag)
		}
	}
}

func TestParseImageRefuses(t *testing.T) {
	for reference, fail := range map[string]string{
		"":                    "not an image",
		":1":                  "not an image",
		"https://quay.io/a:1": "not an image",
		"a b:1":               "not an image",
		"quay.io/a":           "neither tag nor digest",
		"localhost:5000/a":    "neither tag nor digest",
		"quay.io/a:latest":    "another image every week",
		"quay.io/a@md5:00":    "has the form sha256:HEX",
	} {
		if _, err := ParseImage(reference); err == nil || !strings.Contains(err.Error(), fail) {
			t.Errorf("%q: %v, want %q", reference, err, fail)
		}
	}
}

func FuzzParseImage(f *testing.F) {
	for _, seed := range []string{"a:1", "quay.io/a/b:1@sha256:00", "@", ":", "/", "a/:1", "a:b:c", "localhost:5000/a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, reference string) {
		image, err := ParseImage(reference)
		if err != nil {
			return
		}
		if repository, tag := image.Halves(); repository+":"+tag != reference {
			t.Errorf("%q became %q and %q", reference, repository, tag)
		}
	})
}
