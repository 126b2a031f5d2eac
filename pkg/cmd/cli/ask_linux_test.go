package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/ttytest"
)

// A person at a terminal is asked and may refuse; only a yes is a yes.
func TestAskAtATerminal(t *testing.T) {
	for answer, agreed := range map[string]bool{"y": true, "YES": true, "": false, "n": false, "maybe": false} {
		terminal, person := ttytest.Open(t)
		o := New(genericiooptions.IOStreams{In: terminal, Out: terminal, ErrOut: terminal}, nil, "kubectl onyxia")
		if _, err := fmt.Fprintln(person, answer); err != nil {
			t.Fatal(err)
		}
		answered := make(chan error, 1)
		go func() { answered <- o.Ask(t.Context(), false, "Remove the datalab example.org from cluster prod?") }()
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

// D: Ctrl-C at a question ends it, and it is said that nothing was done.
func TestDInterruptAtAQuestion(t *testing.T) {
	terminal, person := ttytest.Open(t)
	o := New(genericiooptions.IOStreams{In: terminal, Out: terminal, ErrOut: terminal}, nil, "kubectl onyxia")
	ctx, interrupt := context.WithCancelCause(t.Context())
	answered := make(chan error, 1)
	go func() { answered <- o.Ask(ctx, false, "Remove the datalab?") }()
	question := make([]byte, len("Remove the datalab?"))
	if _, err := io.ReadFull(person, question); err != nil {
		t.Fatal(err)
	}
	interrupt(ErrInterrupted)
	select {
	case err := <-answered:
		if !errors.Is(err, ErrInterrupted) || err.Error() != "interrupted: nothing was done" {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the question is still open")
	}
	// Once it has ended nothing is asked any more.
	if err := o.Ask(ctx, false, "Remove the datalab?"); !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	// The reader ends with the line that it waits for.
	_, _ = fmt.Fprintln(person)
}

// A terminal shows what is typed again when a person ends the command at the prompt for a key share.
func TestInterruptAtThePrompt(t *testing.T) {
	terminal, person := ttytest.Open(t)
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
