package bundle

import "fmt"

// InputError is wrong with what was given: a file, a flag, a bundle.
type InputError struct {
	Err  error
	hint string
}

// inputError is an InputError with what to do about it.
func inputError(todo, format string, args ...any) error {
	return &InputError{fmt.Errorf(format, args...), todo}
}

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *InputError) Hint() string { return e.hint }

// DockerError is what the docker command says when it fails.
type DockerError struct {
	Command string
	Err     error
}

func (e *DockerError) Error() string { return fmt.Sprintf("%s: %v", e.Command, e.Err) }
func (e *DockerError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *DockerError) Hint() string {
	return "Docker has to be installed and running, and you need the right to use it: see whether `docker info` works"
}
