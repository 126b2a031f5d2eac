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

// named is how many steps an error names.
const named = 2

func (e *stepsError) Error() string {
	if len(e.ids) > named+1 {
		return fmt.Sprintf("%s and %d more: %v", join(e.ids[:named], ", "), len(e.ids)-named, e.err)
	}
	return fmt.Sprintf("%s: %v", join(e.ids, ", "), e.err)
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
