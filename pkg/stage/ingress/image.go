package ingress

import (
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// dockerHub is what an image without a registry means to container runtimes; the chart of Traefik wants it named.
const dockerHub = "docker.io"

// imageNamed is the image that the profile or the configuration names in place of the chart's own; false for none. The charts
// find out from its tag which options the program has, so a digest alone is not enough.
func imageNamed(component profile.Component) (profile.Image, bool, error) {
	reference, named := component.Images["server"]
	if !named {
		return profile.Image{}, false, nil
	}
	image, err := profile.ParseImage(reference)
	if err == nil && image.Tag == "" {
		err = fmt.Errorf("image %q has no tag, by which the chart knows its version: name it as NAME:TAG@DIGEST", reference)
	}
	return image, err == nil, err
}

// traefikImage is the image under the keys of Traefik's chart. Its key for a digest hides the version from it (41.3.0).
func traefikImage(image profile.Image) map[string]any {
	registry, tag := image.Registry, image.Tag
	if registry == "" {
		registry = dockerHub
	}
	if image.Digest != "" {
		tag += "@" + image.Digest
	}
	return map[string]any{"image": map[string]any{"registry": registry, "repository": image.Repository, "tag": tag}}
}

// nginxImage is the image under the keys of ingress-nginx's chart. Its digests, and the other image that it has, are those of
// the chart's own (4.15.1).
func nginxImage(image profile.Image) map[string]any {
	repository := image.Repository
	if image.Registry != "" {
		repository = image.Registry + "/" + repository
	}
	return map[string]any{"controller": map[string]any{"image": map[string]any{
		"repository": repository, "tag": image.Tag, "digest": image.Digest, "digestChroot": "",
	}}}
}
