package cli

import (
	"bufio"
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

// Ask puts a question to a person at a terminal; elsewhere the answer is the flag.
func (o *Options) Ask(yes bool, question string) error {
	if yes {
		return nil
	}
	if !terminal(o.In) || !terminal(o.ErrOut) {
		return ErrUnasked
	}
	fmt.Fprintf(o.ErrOut, "%s [y/N] ", question)
	answer, err := bufio.NewReader(o.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("answer: %w", err)
	}
	if word := strings.ToLower(strings.TrimSpace(answer)); word != "y" && word != "yes" {
		return errors.New("not agreed to: nothing was done")
	}
	return nil
}

func terminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
