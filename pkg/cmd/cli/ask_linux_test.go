package cli

import (
	"context"
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

// A terminal shows what is typed again when a person ends the command at the prompt for a key share.
func TestInterruptAtThePrompt(t *testing.T) {
	terminal, person := pseudoTerminal(t)
	o := New(genericiooptions.IOStreams{In: terminal, Out: terminal, ErrOut: terminal}, nil, "kubectl onyxia")
	echo := func() bool {
		t.Helper()
		state, err := unix.IoctlGetTermios(int(person.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag&unix.ECHO != 0
	}
	if !echo() {
		t.Fatal("no echo to begin with")
	}
	ctx, interrupt := context.WithCancelCause(t.Context())
	shares, err := NewTyped(o).Shares(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := shares.Next(ctx, 1)
		ended <- err
	}()
	for deadline := time.Now().Add(10 * time.Second); echo(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a key share would be shown")
		}
	}
	stopped := errors.New("interrupted")
	interrupt(stopped)
	if err := <-ended; !errors.Is(err, stopped) {
		t.Errorf("%v", err)
	}
	if !echo() {
		t.Error("the terminal does not show what is typed")
	}
	// The reader ends with the line that it waits for.
	_, _ = fmt.Fprintln(person)
}
