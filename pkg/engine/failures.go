package engine

import (
	"errors"
	"fmt"
)

// failures are the errors of steps. Steps that fail for one reason, a server that is down for instance, make one error.
type failures struct{ errs []error }

// stepsError is why some steps could not be read or written.
type stepsError struct {
	ids []ID
	err error
}

// named is how many steps a line names.
const named = 2

func (e *stepsError) Error() string { return fmt.Sprintf("%s: %v", abridged(e.ids), e.err) }

// abridged names the first of many steps, and counts the others.
func abridged(ids []ID) string {
	if len(ids) > named+1 {
		return fmt.Sprintf("%s and %d more", join(ids[:named], ", "), len(ids)-named)
	}
	return join(ids, ", ")
}

func (e *stepsError) Unwrap() error { return e.err }

func (f *failures) add(id ID, err error) {
	for _, one := range f.errs {
		var same *stepsError
		if errors.As(one, &same) && same.err.Error() == err.Error() {
			same.ids = append(same.ids, id)
			return
		}
	}
	f.errs = append(f.errs, &stepsError{ids: []ID{id}, err: err})
}

func (f *failures) join() error { return errors.Join(f.errs...) }
