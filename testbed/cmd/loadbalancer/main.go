// Command loadbalancer is the cluster's cloud: every Service of type LoadBalancer gets the one external address there
// is. It watches, so a Service has its address within milliseconds, and it writes only when an address is missing.
//
//	loadbalancer -server https://192.168.50.1:6443 -ca ca.crt -cert lb.crt -key lb.key -address 192.168.50.100
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// pause between two tries when the API server is away.
const pause = 500 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "loadbalancer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("loadbalancer", flag.ContinueOnError)
	server := flags.String("server", "", "URL of the API server")
	ca := flags.String("ca", "", "file with the certificate of the cluster's authority")
	cert := flags.String("cert", "", "file with the client certificate")
	key := flags.String("key", "", "file with its key")
	address := flags.String("address", "", "the external address to give")
	if err := flags.Parse(args); err != nil {
		return err
	}
	client, err := newClient(*ca, *cert, *key)
	if err != nil {
		return err
	}
	b := &balancer{client: client, server: *server, address: *address}
	for ctx.Err() == nil {
		if err := b.follow(ctx); err != nil && ctx.Err() == nil {
			log.Print(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

func newClient(ca, cert, key string) (*http.Client, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New(ca + " holds no certificate")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
	}}}, nil
}
