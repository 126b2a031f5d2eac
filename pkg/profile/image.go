package profile

import (
	"fmt"
	"regexp"
	"strings"
)

// Image is a container image in the pieces that charts ask for.
type Image struct {
	// Registry is "quay.io"; empty where the reference names none, which container runtimes read as docker.io.
	Registry string
	// Repository is "keycloak/keycloak".
	Repository string
	// Tag is "26.7.4"; empty if there is a digest alone.
	Tag string
	// Digest is "sha256:..."; may be empty.
	Digest string
}

// ParseImage takes a reference apart. A tag or a digest must be there: what is not pinned changes under the admin's feet.
func ParseImage(reference string) (Image, error) {
	if !regexp.MustCompile(`^[\w.-]+(:\d+)?(/[\w.-]+)*(:[\w.-]+)?(@\w+:[0-9a-f]+)?$`).MatchString(reference) {
		return Image{}, fmt.Errorf("%q is not an image such as quay.io/keycloak/keycloak:26.7.4", reference)
	}
	rest, digest, _ := strings.Cut(reference, "@")
	path, tag := rest, ""
	if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "/") {
		path, tag = rest[:i], rest[i+1:]
	}
	image := Image{Repository: path, Tag: tag, Digest: digest}
	if first, more, ok := strings.Cut(path, "/"); ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		image.Registry, image.Repository = first, more
	}
	switch {
	case tag == "" && digest == "":
		return Image{}, fmt.Errorf("image %q has neither tag nor digest: name one", reference)
	case tag == "latest" && digest == "":
		return Image{}, fmt.Errorf("image %q: the tag latest means another image every week: name a version or a digest", reference)
	case digest != "" && !strings.HasPrefix(digest, "sha256:"):
		return Image{}, fmt.Errorf("image %q: a digest has the form sha256:HEX", reference)
	}
	return image, nil
}

// Halves are what stands on both sides of the last colon, for charts that write "repository:tag". They make the
// reference again whatever it is pinned by.
func (i Image) Halves() (repository, tag string) {
	repository = i.Repository
	if i.Registry != "" {
		repository = i.Registry + "/" + i.Repository
	}
	switch {
	case i.Digest == "":
		return repository, i.Tag
	case i.Tag == "":
		algorithm, hex, _ := strings.Cut(i.Digest, ":")
		return repository + "@" + algorithm, hex
	default:
		return repository, i.Tag + "@" + i.Digest
	}
}
