// Command forward lets programs on this machine reach the cluster's load balancer: it listens on loopback ports, outside
// the cluster's network namespace, and connects each to an address inside it.
//
//	forward -netns /run/netns/onyxia -map 127.0.0.1:8443=192.168.50.100:443 -map 127.0.0.1:8080=192.168.50.100:80
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "forward:", err)
		os.Exit(1)
	}
}

// route is one forwarded port: where to listen here, where to connect to in the namespace.
type route struct{ from, to string }

func run(ctx context.Context, args []string, out io.Writer) error {
	netns, routes, err := parse(args)
	if err != nil {
		return err
	}
	if _, err := os.Stat(netns); err != nil {
		return fmt.Errorf("no cluster to forward to (start it with testbed/up): %w", err)
	}
	dial := func(ctx context.Context, addr string) (net.Conn, error) { return dialIn(ctx, netns, addr) }
	var listeners []net.Listener
	for _, r := range routes {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", r.from)
		if err != nil {
			return errors.Join(err, closeAll(listeners))
		}
		listeners = append(listeners, l)
		fmt.Fprintf(out, "forwarding %s to %s\n", l.Addr(), r.to)
		go accept(ctx, l, r.to, dial)
	}
	<-ctx.Done()
	return closeAll(listeners)
}

func parse(args []string) (netns string, routes []route, err error) {
	flags := flag.NewFlagSet("forward", flag.ContinueOnError)
	flags.StringVar(&netns, "netns", "/run/netns/onyxia", "network namespace to connect in")
	flags.Func("map", "HERE=THERE, each host:port; may be repeated", func(s string) error {
		from, to, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want HERE=THERE, each host:port")
		}
		routes = append(routes, route{from, to})
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return "", nil, err
	}
	if len(routes) == 0 {
		return "", nil, errors.New("nothing to forward: give -map HERE=THERE")
	}
	return netns, routes, nil
}

func closeAll(listeners []net.Listener) error {
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
