// Command image makes a container image out of folders and tar files and loads it into the testbed's containerd under
// the names given, so that charts find what they ask for and no image registry is needed.
//
//	image -layer DIR -entrypoint '["/program"]' inseefrlab/onyxia-api:v4.12.0 [NAME...]
//
// An image that is loaded already with the same contents is left alone.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// request is what the command line asks for.
type request struct {
	names  []string
	layers []string
	config containerConfig
	// output is a file to write the image to instead of loading it.
	output string
	ctr    containerd
}

func run(ctx context.Context, args []string, out io.Writer) error {
	r, err := parse(args)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	img, err := build(ctx, r, work)
	if err != nil {
		return err
	}
	if r.output != "" {
		return writeFile(r.output, img)
	}
	return load(ctx, r.ctr, img, r.names, out)
}

func parse(args []string) (request, error) {
	r := request{config: containerConfig{
		Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		WorkingDir: "/",
	}}
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.Func("layer", "a folder whose contents become /, or a tar file; may be repeated", appendTo(&r.layers))
	flags.Func("env", "NAME=VALUE; may be repeated", appendTo(&r.config.Env))
	flags.Func("entrypoint", "JSON list of strings", jsonInto(&r.config.Entrypoint))
	flags.Func("cmd", "JSON list of strings", jsonInto(&r.config.Cmd))
	flags.StringVar(&r.config.User, "user", "", "user, by number")
	flags.StringVar(&r.config.WorkingDir, "workdir", "/", "folder the program starts in")
	flags.StringVar(&r.output, "output", "", "write the image to this file (OCI layout, tar) and load nothing")
	flags.StringVar(&r.ctr.program, "ctr", "ctr", "containerd's command line client")
	flags.StringVar(&r.ctr.socket, "socket", "/run/onyxia-containerd.sock", "containerd's socket")
	if err := flags.Parse(args); err != nil {
		return r, err
	}
	for _, name := range flags.Args() {
		r.names = append(r.names, fullName(name))
	}
	if len(r.names) == 0 || len(r.layers) == 0 {
		return r, fmt.Errorf("an image needs a name and a -layer at least")
	}
	return r, nil
}

// build packs the layers that are folders and describes the image.
func build(ctx context.Context, r request, work string) (*image, error) {
	var layers []layer
	for i, source := range r.layers {
		info, err := os.Stat(source)
		if err != nil {
			return nil, fmt.Errorf("layer: %w", err)
		}
		if info.IsDir() {
			packed := filepath.Join(work, fmt.Sprintf("layer%d.tar", i))
			// GNU tar keeps owners, links and devices as they are in the folder, and the same folder gives the same bytes.
			tar := exec.CommandContext(ctx, "tar", "--sort=name", "--mtime=@0", "--numeric-owner", "-C", source, "-cf", packed, ".")
			if text, err := tar.CombinedOutput(); err != nil {
				return nil, fmt.Errorf("pack layer %s: %w: %s", source, err, strings.TrimSpace(string(text)))
			}
			source = packed
		}
		l, err := readLayer(source)
		if err != nil {
			return nil, fmt.Errorf("layer: %w", err)
		}
		layers = append(layers, l)
	}
	return newImage(r.names, layers, r.config, runtime.GOARCH)
}

// load brings the image in unless containerd has it under every name already.
func load(ctx context.Context, ctr containerd, img *image, names []string, out io.Writer) error {
	missing := false
	state := make(map[string]string, len(names))
	for _, name := range names {
		have, err := ctr.digest(ctx, name)
		if err != nil {
			return err
		}
		state[name] = "there already"
		if have != img.manifest.digest {
			state[name] = "loaded"
			missing = true
		}
	}
	if missing {
		if err := ctr.load(ctx, img); err != nil {
			return fmt.Errorf("load %s: %w", strings.Join(names, ", "), err)
		}
	}
	for _, name := range names {
		if _, err := fmt.Fprintf(out, "image %s: %s\n", name, state[name]); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, img *image) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := img.write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// fullName adds what a name leaves out, as the kubelet does: the registry, its folder of official images, the tag. With a digest
// it leaves the tag out, as the kubelet does too.
func fullName(name string) string {
	if name, digest, found := strings.Cut(name, "@"); found {
		full := fullName(name)
		return full[:strings.LastIndex(full, ":")] + "@" + digest
	}
	if path := name[strings.LastIndex(name, "/")+1:]; !strings.Contains(path, ":") {
		name += ":latest"
	}
	first, _, nested := strings.Cut(name, "/")
	switch {
	case !nested:
		return "docker.io/library/" + name
	case !strings.ContainsAny(first, ".:") && first != "localhost":
		return "docker.io/" + name
	}
	return name
}

func appendTo(list *[]string) func(string) error {
	return func(s string) error { *list = append(*list, s); return nil }
}

func jsonInto(list *[]string) func(string) error {
	return func(s string) error { return json.Unmarshal([]byte(s), list) }
}
