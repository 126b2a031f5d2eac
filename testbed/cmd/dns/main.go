// Command dns serves one zone and takes signed updates for it until it is told to stop.
//
//	dns -zone demo.test -listen 127.0.0.1:5353 -ns 192.168.50.1 -tsig-secret-file run/tsig.secret
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/kubectl-onyxia/kubectl-onyxia/testbed/dnsserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "dns:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	config, err := parse(args)
	if err != nil {
		return err
	}
	s, err := dnsserver.Start(ctx, config)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "zone %s on %s\n", config.Zone, s.Addr())
	<-ctx.Done()
	return s.Close()
}

func parse(args []string) (dnsserver.Config, error) {
	var c dnsserver.Config
	flags := flag.NewFlagSet("dns", flag.ContinueOnError)
	flags.StringVar(&c.Zone, "zone", "demo.test", "name of the zone")
	flags.StringVar(&c.NSAddress, "ns", "127.0.0.1", "address of the zone's name server")
	listen := flags.String("listen", "127.0.0.1:5353", "addresses to answer on, separated by commas, UDP and TCP")
	key := flags.String("tsig-name", "onyxia.", "name of the key that signs updates")
	secretFile := flags.String("tsig-secret-file", "", "file with that key's secret, base64; without it there are no updates")
	flags.Func("record", "a record that is there from the start, in zone file form; may be repeated", func(text string) error {
		c.Records = append(c.Records, text)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	c.Listen = strings.Split(*listen, ",")
	if *secretFile == "" {
		return c, nil
	}
	secret, err := os.ReadFile(*secretFile)
	if err != nil {
		return c, fmt.Errorf("secret of key %s: %w", *key, err)
	}
	c.Keys = map[string]string{*key: string(secret)}
	return c, nil
}
