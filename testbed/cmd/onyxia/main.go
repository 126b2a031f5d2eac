// Command onyxia stands in for Onyxia's API and web, which no package registry holds. It is not Onyxia: it launches
// nothing and knows no users. It answers, from the same environment variables, what an installer has to look at:
//
//	onyxia api -version v4.12.0    /api/public/configuration, /api/public/healthcheck, 401 elsewhere once login is on
//	onyxia web -version 5.5.1      a page that shows the configuration the API answers
//
// As the real API does (v4.12.0, v0.30), it drops region keys that it does not know and fills in the defaults of those
// left out; with authentication.mode=openidconnect it exits 1 if the issuer can't be reached at start.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], environment(os.Environ()), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "onyxia stand-in:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, env map[string]string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("usage: onyxia api|web [flags]")
	}
	flags := flag.NewFlagSet("onyxia "+args[0], flag.ContinueOnError)
	listen := flags.String("listen", ":"+or(env["SERVER_PORT"], "8080"), "address to answer on")
	version := flags.String("version", "", "version to stand in for")
	grace := flags.Duration("grace", 0, "go on answering this long after SIGTERM, as the real API's pod does for 30s")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	handler, err := newHandler(ctx, args[0], *version, env)
	if errors.Is(err, errRemovedKey) {
		log.Print("FATAL : ", err)
		return nil
	}
	if err != nil {
		return err
	}
	return serve(ctx, *listen, handler, *grace, out)
}

func newHandler(ctx context.Context, part, version string, env map[string]string) (http.Handler, error) {
	switch part {
	case "api":
		return newAPI(ctx, version, env)
	case "web":
		return newWeb(version, env)
	}
	return nil, fmt.Errorf("%q is neither api nor web", part)
}

// serve says where it answers, and does until the context ends and the grace after that is over.
func serve(ctx context.Context, addr string, handler http.Handler, grace time.Duration, out io.Writer) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintf(out, "answering on %s\n", l.Addr())
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	time.Sleep(grace)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return s.Shutdown(stopping)
}

// environment reads variables as the chart gives them, names with dots included.
func environment(vars []string) map[string]string {
	env := make(map[string]string, len(vars))
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return env
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
