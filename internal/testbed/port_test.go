package testbed

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
)

// A held port refuses, is the test's own again and again, and is given to nobody who takes any.
func TestPort(t *testing.T) {
	address := fmt.Sprintf("127.0.0.1:%d", Port(t))
	for range 2 {
		if _, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		listener.Close()
	}
	for range 500 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		if listener.Addr().String() == address {
			t.Fatal("the port was given away")
		}
	}
}
