// Package testbed gives tests what the folder testbed of this repository builds, and ports of this machine for the servers
// that they start as processes.
package testbed

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

// Port is a port of 127.0.0.1 that is this test's until it ends; Hold says how.
func Port(t testing.TB) int {
	t.Helper()
	port, release, err := Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	})
	return port
}

// Hold takes a port of 127.0.0.1 until it is released. A port that is only known to be free may be somebody else's by the time
// a server listens on it. This one has a socket that is bound and never listens: the system gives the port to nobody who
// takes any, to listen or to dial, while a server that names it gets it, after a restart too, if it sets SO_REUSEADDR as
// programs in Go and Java do (socket(7)). As long as no server has it, connections are refused.
func Hold() (port int, release func() error, err error) {
	syscall.ForkLock.RLock()
	held, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(held)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, nil, fmt.Errorf("hold a port of loopback: %w", err)
	}
	err = errors.Join(syscall.SetsockoptInt(held, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
		syscall.Bind(held, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	address, nameErr := syscall.Getsockname(held)
	if err = errors.Join(err, nameErr); err != nil {
		return 0, nil, errors.Join(fmt.Errorf("hold a port of loopback: %w", err), syscall.Close(held))
	}
	return address.(*syscall.SockaddrInet4).Port, func() error { return syscall.Close(held) }, nil
}
