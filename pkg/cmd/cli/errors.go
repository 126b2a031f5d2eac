package cli

import (
	"errors"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// The exit codes, as --help lists them.
const (
	CodeOK          = 0
	CodeError       = 1
	CodeChanges     = 2
	CodeCheck       = 3
	CodeLocked      = 5
	CodeUsage       = 64
	CodeTimeout     = 124
	CodeInterrupted = 130
)

var (
	// ErrChanges is how diff and --dry-run say that something would change; the plan was printed.
	ErrChanges = errors.New("there are changes")
	// ErrCheck says that a check failed; the checks themselves were printed.
	ErrCheck = errors.New("a check failed")
	// ErrBlocked says that a person has to do something first; the plan that was printed says what.
	ErrBlocked = errors.New("blocked")
	// ErrInterrupted is the cause of a context that a signal ended.
	ErrInterrupted = errors.New("interrupted")
)

// UsageError is a wrong command line: not what a command takes. What a file or the cluster holds is no part of it.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Code is the exit code for what a command returned.
func Code(err error) int {
	var usage *UsageError
	var locked *kube.LockedError
	switch {
	case err == nil:
		return CodeOK
	case errors.Is(err, ErrInterrupted):
		return CodeInterrupted
	case errors.Is(err, ErrChanges):
		return CodeChanges
	case errors.Is(err, ErrCheck):
		return CodeCheck
	case errors.As(err, &usage):
		return CodeUsage
	case errors.As(err, &locked):
		return CodeLocked
	case errors.Is(err, engine.ErrTimeout):
		return CodeTimeout
	}
	return CodeError
}

// Silent tells errors that were said already: a plan that was printed, and a check unless something is said with it.
func Silent(err error) bool {
	return errors.Is(err, ErrChanges) || err == ErrCheck || err == ErrBlocked
}
