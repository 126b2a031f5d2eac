package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// dialTimeout bounds how long a browser waits for a load balancer that isn't there.
const dialTimeout = 10 * time.Second

type dialer func(ctx context.Context, addr string) (net.Conn, error)

func accept(ctx context.Context, l net.Listener, to string, dial dialer) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			if err := join(ctx, conn, to, dial); err != nil {
				log.Print(err)
			}
		}()
	}
}

// join copies both ways until both sides have said all, each end's close passed on to the other.
func join(ctx context.Context, here net.Conn, to string, dial dialer) error {
	defer here.Close()
	there, err := dial(ctx, to)
	if err != nil {
		return err
	}
	defer there.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		send(there, here)
	}()
	send(here, there)
	<-done
	return nil
}

func send(to, from net.Conn) {
	// A connection that breaks is the business of its two ends, who see it.
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// dialIn connects from inside a network namespace. A namespace is a property of a thread, so the connection is made on a
// thread of its own that is never used for anything else: the goroutine stays locked to it, and both end together.
func dialIn(ctx context.Context, netns, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		if err := enter(netns); err != nil {
			results <- result{err: err}
			return
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		results <- result{conn, err}
	}()
	r := <-results
	return r.conn, r.err
}

func enter(netns string) error {
	f, err := os.Open(netns)
	if err != nil {
		return fmt.Errorf("the cluster is gone: %w", err)
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s (needs root): %w", netns, err)
	}
	return nil
}
