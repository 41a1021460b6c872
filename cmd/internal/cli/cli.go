// Package cli has what the command lines of this module's programs share: usage errors, checks of
// arguments, and exit codes.
package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coalmine/lab/input"
)

// ExitCode is an error that ends the program with this code. The command has printed everything
// itself.
type ExitCode int

func (c ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// Usage makes err an error of the command line, with a hint at the command's help.
func Usage(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		err = fmt.Errorf("--%s is %q: write %s", value.GetFlag().Name, value.GetValue(),
			ValueHelp(value.GetFlag().Value.Type()))
	}
	return input.New(fmt.Sprintf("see %s --help", cmd.CommandPath()), "%w", err)
}

// ValueHelp describes the values that a flag of a type takes.
func ValueHelp(kind string) string {
	switch kind {
	case "duration":
		return "a duration such as 90s or 5m"
	case "int", "uint64":
		return "a whole number"
	case "float64":
		return "a number"
	}
	return "a " + kind
}

// Exactly requires the named arguments.
func Exactly(names ...string) cobra.PositionalArgs { return Between(len(names), names...) }

// Between requires the first least of the named arguments and allows the others.
func Between(least int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least {
			return Usage(cmd, fmt.Errorf("%s is missing", names[len(args)]))
		}
		if len(args) > len(names) {
			return Usage(cmd, fmt.Errorf("%q is one argument too many", args[len(names)]))
		}
		return nil
	}
}
