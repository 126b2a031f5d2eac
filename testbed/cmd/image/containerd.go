package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// containerd is a running containerd, reached by its command line client. Images go into the namespace that the
// kubelet's images are in.
type containerd struct {
	program string
	socket  string
}

func (c containerd) run(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.program, append([]string{"-a", c.socket, "-n", "k8s.io", "images"}, args...)...)
	cmd.Stdin = stdin
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask containerd at %s (is the cluster up?): %w: %s", c.socket, err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// digest returns the digest of the image stored under a name, or "" if there is none.
func (c containerd) digest(ctx context.Context, name string) (string, error) {
	out, err := c.run(ctx, nil, "ls", "name=="+name)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		// REF TYPE DIGEST SIZE PLATFORMS LABELS
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == name {
			return fields[2], nil
		}
	}
	return "", nil
}

// load stores the image, unpacked, under its names. It is streamed: a copy of the layers on disk would cost seconds.
func (c containerd) load(ctx context.Context, img *image) error {
	r, w := io.Pipe()
	defer r.Close()
	go func() { w.CloseWithError(img.write(w)) }()
	_, err := c.run(ctx, r, "import", "-")
	return err
}
