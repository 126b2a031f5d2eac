package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// Typed are key shares that a person types, without echo at a terminal. They are remembered for the further servers of a
// cluster, as long as the command runs.
type Typed struct {
	options *Options
	lines   *bufio.Reader
	given   []string
}

// NewTyped reads from the command's input.
func NewTyped(o *Options) *Typed { return &Typed{options: o, lines: bufio.NewReader(o.In)} }

// Shares gives them for one server, from the first on.
func (t *Typed) Shares(context.Context) (vault.Shares, error) {
	used := 0
	return vault.Prompt{Ask: func(ctx context.Context, question string) (string, error) {
		if used == len(t.given) {
			text, err := t.ask(ctx, question)
			switch {
			case errors.Is(err, io.EOF) && len(t.given) > 0:
				// Whoever pipes a share in has no more; other holders may.
				text, err = "", nil
			case errors.Is(err, io.EOF):
				err = errors.New("nothing on standard input: give --keys-file FILE, or type the shares at a terminal")
			}
			if err != nil {
				return "", err
			}
			t.given = append(t.given, text)
		}
		used++
		return t.given[used-1], nil
	}}, nil
}

// ask reads one line. After Ctrl-C a terminal shows again what is typed.
func (t *Typed) ask(ctx context.Context, question string) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	read, leave := t.line, func() error { return nil }
	if terminal(t.options.In) {
		var err error
		if read, leave, err = t.hidden(); err != nil {
			return "", err
		}
		fmt.Fprint(t.options.ErrOut, question)
	}
	text, err := until(ctx, read)
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), leave())
	}
	return text, err
}

// hidden gives what reads a line of a terminal without echo, and what brings the echo back when nobody waits for the line.
func (t *Typed) hidden() (read func() (string, error), leave func() error, err error) {
	file, ok := t.options.In.(*os.File)
	if !ok {
		return nil, nil, errors.New("no terminal")
	}
	fd := int(file.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, nil, fmt.Errorf("terminal: %w", err)
	}
	read = func() (string, error) {
		text, err := term.ReadPassword(fd)
		fmt.Fprintln(t.options.ErrOut)
		return string(text), err
	}
	leave = func() error {
		if err := term.Restore(fd, before); err != nil {
			return fmt.Errorf("the terminal does not show what is typed any more: %w; type: stty echo", err)
		}
		return nil
	}
	return read, leave, nil
}

// line reads a line of anything else.
func (t *Typed) line() (string, error) {
	text, err := t.lines.ReadString('\n')
	if errors.Is(err, io.EOF) && text != "" {
		err = nil
	}
	return text, err
}
