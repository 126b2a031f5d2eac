package cli

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// pseudoTerminal is a terminal, and the end at which a person sits.
func pseudoTerminal(t *testing.T) (terminal, person *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	fd := int(person.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return terminal, person
}

// A person at a terminal is asked and may refuse; only a yes is a yes.
func TestAskAtATerminal(t *testing.T) {
	for answer, agreed := range map[string]bool{"y": true, "YES": true, "": false, "n": false, "maybe": false} {
		terminal, person := pseudoTerminal(t)
		o := New(genericiooptions.IOStreams{In: terminal, Out: terminal, ErrOut: terminal}, nil, "kubectl onyxia")
		if _, err := fmt.Fprintln(person, answer); err != nil {
			t.Fatal(err)
		}
		answered := make(chan error, 1)
		go func() { answered <- o.Ask(false, "Remove the datalab example.org from cluster prod?") }()
		select {
		case err := <-answered:
			if (err == nil) != agreed || errors.Is(err, ErrUnasked) {
				t.Errorf("%q: %v", answer, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q: no end", answer)
		}
	}
}
