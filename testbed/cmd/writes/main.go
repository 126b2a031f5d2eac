// Command writes lists the writing requests in an API server's audit log, so that "the second run writes nothing" is
// counted and not believed: one line for each, with the client's name, the verb, the path and the response code.
//
//	writes -mark LOG        prints how long the log is now
//	writes LOG [MARK]       lists the writes after that mark
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "writes:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 2 && args[0] == "-mark" {
		info, err := os.Stat(args[1])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, info.Size())
		return err
	}
	if len(args) != 1 && len(args) != 2 {
		return errors.New("usage: writes -mark LOG | writes LOG [MARK]")
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	if len(args) == 2 {
		mark, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a mark: %w", args[1], err)
		}
		if _, err := f.Seek(mark, io.SeekStart); err != nil {
			return err
		}
	}
	return list(f, out)
}

// event is the part of an audit event (audit.k8s.io/v1) that says what was written and by whom.
type event struct {
	Verb           string
	RequestURI     string
	UserAgent      string
	ResponseStatus struct{ Code int }
}

// list prints the writes in a log, without those that isReview.
func list(log io.Reader, out io.Writer) error {
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil // a line without an end is still being written
		}
		if err != nil {
			return err
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
		if !slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, e.Verb) ||
			isReview(e.RequestURI) {
			continue
		}
		agent, _, _ := strings.Cut(e.UserAgent, " ")
		path, _, _ := strings.Cut(e.RequestURI, "?")
		if _, err := fmt.Fprintln(out, agent, e.Verb, path, e.ResponseStatus.Code); err != nil {
			return err
		}
	}
}

// isReview tells questions (SubjectAccessReview, SelfSubjectReview and their kin) from writes: they are sent as "create"
// but store nothing.
func isReview(uri string) bool {
	return strings.HasPrefix(uri, "/apis/authorization.k8s.io/") || strings.HasPrefix(uri, "/apis/authentication.k8s.io/")
}
