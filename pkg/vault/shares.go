package vault

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// SharesOf gives the shares of opened keys in their order.
func SharesOf(opened DecryptedKeys) Shares { return &shareList{opened.Shares} }

type shareList struct{ left []Secret }

// Next implements Shares.
func (l *shareList) Next(context.Context, int) (Secret, error) {
	if len(l.left) == 0 {
		return Secret{}, io.EOF
	}
	share := l.left[0]
	l.left = l.left[1:]
	return share, nil
}

// Whole implements Shares.
func (l *shareList) Whole() bool { return true }

// Prompt gives shares that a person types. Ask shows the question and reads one line without echo; an empty one says that
// this person has no more.
type Prompt struct {
	Ask func(ctx context.Context, question string) (string, error)
}

// Next implements Shares.
func (p Prompt) Next(ctx context.Context, missing int) (Secret, error) {
	text, err := p.Ask(ctx, fmt.Sprintf("Key share (%d more needed; an empty line leaves the rest to other holders): ", missing))
	if err != nil {
		return Secret{}, err
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return Secret{}, io.EOF
	}
	return NewSecret(text), nil
}

// Whole implements Shares.
func (p Prompt) Whole() bool { return false }
