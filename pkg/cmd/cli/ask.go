package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// AddYesFlag registers the flag that answers what would be asked.
func AddYesFlag(cmd *cobra.Command, yes *bool, usage string) {
	cmd.Flags().BoolVarP(yes, "yes", "y", false, usage)
}

// ErrUnasked says that a question had nobody to answer it.
var ErrUnasked = errors.New("nobody is there to ask: look at it first, then give --yes")

// Ask puts a question to a person at a terminal; elsewhere the answer is the flag. The end of the context, by Ctrl-C for
// instance, ends the question.
func (o *Options) Ask(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	if !terminal(o.In) || !terminal(o.ErrOut) {
		return ErrUnasked
	}
	fmt.Fprintf(o.ErrOut, "%s [y/N] ", question)
	answer, err := until(ctx, func() (string, error) { return bufio.NewReader(o.In).ReadString('\n') })
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(o.ErrOut)
		return fmt.Errorf("%w: nothing was done", context.Cause(ctx))
	case err != nil && !errors.Is(err, io.EOF):
		return fmt.Errorf("answer: %w", err)
	}
	if word := strings.ToLower(strings.TrimSpace(answer)); word != "y" && word != "yes" {
		return errors.New("not agreed to: nothing was done")
	}
	return nil
}

// until reads until the context ends. A terminal cannot be asked to stop reading, so what is typed after that is left behind.
func until[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	if ctx.Err() == nil {
		go func() {
			value, err := read()
			answered <- answer{value, err}
		}()
	}
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

func terminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
