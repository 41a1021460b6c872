package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/cmd/internal/cli"
	"coalmine/lab/guardrail"
	"coalmine/lab/input"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
)

// invalid returns an error of the user's input or usage; the hint says what to do.
func invalid(hint, format string, args ...any) error { return input.New(hint, format, args...) }

// inputError is [invalid] for an existing error.
func inputError(err error, hint string) error { return &input.Error{Err: err, Hint: hint} }

// hinter is an error that knows what to do about it.
type hinter interface{ Hint() string }

// labError is an error of the lab with what to do about it.
type labError struct {
	err  error
	hint string
}

func (e *labError) Error() string { return e.err.Error() + "\n" + e.hint }
func (e *labError) Unwrap() error { return e.err }

// usage makes err an error of the command line.
func usage(cmd *cobra.Command, err error) error { return cli.Usage(cmd, err) }

// outcome ends the program with an exit code, after the command has printed everything itself.
type outcome = cli.ExitCode

// exitWith is the error for an exit code: none for 0.
func exitWith(code int) error {
	if code == score.ExitPassed {
		return nil
	}
	return outcome(code)
}

// exitCode gives every error its exit code. An error that is not the user's is the lab's.
func exitCode(err error) int {
	var (
		said     outcome
		input    *input.Error
		manifest guardrail.Errors
		scenario scenario.Problems
	)
	switch {
	case err == nil:
		return score.ExitPassed
	case errors.As(err, &said):
		return int(said)
	case errors.Is(err, context.Canceled):
		return score.ExitInconclusive
	case errors.As(err, &input), errors.As(err, &manifest), errors.As(err, &scenario):
		return score.ExitInvalid
	}
	return score.ExitLabFailed
}

// printError is the one place that prints errors.
func printError(w io.Writer, err error) {
	var said outcome
	if errors.As(err, &said) {
		return
	}
	text := err.Error()
	if errors.Is(err, context.Canceled) {
		text = strings.NewReplacer(context.Canceled.Error(), "interrupted", "interrupt signal received", "interrupted",
			"terminated signal received", "terminated", "hangup signal received", "hung up").Replace(text)
	}
	fmt.Fprintln(w, "coalmine: "+text)
}
