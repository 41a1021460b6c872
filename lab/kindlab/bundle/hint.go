package bundle

import "fmt"

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func hint(todo, format string, args ...any) error { return &hinted{fmt.Errorf(format, args...), todo} }

func (e *hinted) Unwrap() error { return e.error }

// Hint says what to do.
func (e *hinted) Hint() string { return e.hint }
