package bundle

import "fmt"

// InputError reports invalid input: a file, a flag, a bundle.
type InputError struct {
	Err  error
	hint string
}

// inputError returns an InputError with a hint.
func inputError(advice, format string, args ...any) error {
	return &InputError{fmt.Errorf(format, args...), advice}
}

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *InputError) Hint() string { return e.hint }

// DockerError is the failure of a docker command.
type DockerError struct {
	Command string
	Err     error
}

func (e *DockerError) Error() string { return fmt.Sprintf("%s: %v", e.Command, e.Err) }
func (e *DockerError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *DockerError) Hint() string {
	return "Docker must be installed and running, and accessible to you: check that `docker info` works"
}
