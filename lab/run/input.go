package run

import "fmt"

// InputError is an error of what the user asked for, as opposed to one of the lab.
type InputError struct {
	Err error
	// Hint says what to do; it may be "".
	Hint string
}

func (e *InputError) Error() string {
	if e.Hint == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + "\n" + e.Hint
}

func (e *InputError) Unwrap() error { return e.Err }

// Invalid returns an [InputError] of a formatted message.
func Invalid(hint, format string, args ...any) error {
	return &InputError{fmt.Errorf(format, args...), hint}
}
