// Package input opens the files that the user names, and marks errors that the user's input causes,
// so that the command exits with the code for invalid input and can say what to do.
package input

import "fmt"

// Error is an error of the user's input. Hint says what to do; it may be empty.
type Error struct {
	Err  error
	Hint string
}

// New returns an [Error] with a formatted message.
func New(hint, format string, args ...any) *Error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: hint}
}

// Error returns the message, and the hint on a line of its own.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + "\n" + e.Hint
}

func (e *Error) Unwrap() error { return e.Err }
