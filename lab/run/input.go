package run

import "coalmine/lab/inputerr"

// InputError is an error of the user's input.
type InputError = inputerr.Error

// Invalid returns an [InputError] with a formatted message.
func Invalid(hint, format string, args ...any) error { return inputerr.New(hint, format, args...) }
