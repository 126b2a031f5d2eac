package installation

// UnknownError says that nothing is known of a datalab: there is no record of one, no configuration file, and no domain was
// given. It is the error of the configuration for those who want to put one up.
type UnknownError struct {
	// Namespace is where the record was looked for.
	Namespace string
	err       error
}

func (e *UnknownError) Error() string { return e.err.Error() }

// Unwrap gives what is wrong with the configuration.
func (e *UnknownError) Unwrap() error { return e.err }
