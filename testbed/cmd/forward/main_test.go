package main

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// echo serves connections that send everything back once their client has said all, and returns its address.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				heard, err := io.ReadAll(c)
				if err == nil {
					_, _ = c.Write(append([]byte("you said "), heard...))
				}
			}()
		}
	}()
	return l.Addr().String()
}

func say(t *testing.T, addr, text string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	heard, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(heard)
}

func TestAcceptCarriesBothWaysAndPassesTheCloseOn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	plain := func(ctx context.Context, addr string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}
	go accept(t.Context(), l, echo(t), plain)
	text := strings.Repeat("hello ", 100000)
	if got := say(t, l.Addr().String(), text); got != "you said "+text {
		t.Errorf("got %d bytes back, want %d", len(got), len("you said ")+len(text))
	}
}

// TestDialInEntersTheNamespace needs root; the namespace is this process's own, so nothing has to be made for it.
func TestDialInEntersTheNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("setns needs root")
	}
	addr := echo(t)
	conn, err := dialIn(t.Context(), "/proc/self/ns/net", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestRunRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"nothing to do": {nil, "nothing to forward"},
		"half a route":  {[]string{"-map", "127.0.0.1:8443"}, "want HERE=THERE"},
		"no cluster":    {[]string{"-netns", "/run/netns/none", "-map", "127.0.0.1:0=192.0.2.1:443"}, "start it with testbed/up"},
		"port taken":    {[]string{"-netns", "/proc/self/ns/net", "-map", echo(t) + "=192.0.2.1:443"}, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), tc.args, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
