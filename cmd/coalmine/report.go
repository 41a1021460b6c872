package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/report"
)

// reportFlags are the options of report.
type reportFlags struct {
	format string
	asJSON bool
	output string
}

func newReportCommand(env *Env) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report RUNDIR",
		Short: "Score a run folder again, and write a report on it",
		Long: "Score a run folder again, from its recorded events and its scenario, and write a report: text for a " +
			"terminal, md for a pull request, html as one self-contained page, junit for a build server, the draft " +
			"of a postmortem, or json. The exit code is that of the run, or 5 if the trial was interrupted and the " +
			"runs that were " +
			"played passed.",
		Example: `coalmine report runs/full-rollout-1
coalmine report runs/full-rollout-1 --format html -o report.html
coalmine report runs/full-rollout-1 --format postmortem > postmortem.md`,
		Args: exactly("RUNDIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := f.parse(cmd.Flags().Changed("format"))
			if err != nil {
				return usage(cmd, err)
			}
			return env.report(args[0], format, f.output)
		},
	}
	var names []string
	for _, format := range report.Formats() {
		names = append(names, string(format))
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.format, "format", "f", string(report.FormatText), "`FORMAT`: "+strings.Join(names, ", "))
	flags.StringVarP(&f.output, "output", "o", "", "write to `FILE`, over an earlier one, instead of printing")
	jsonFlag(cmd, &f.asJSON)
	return cmd
}

func (f reportFlags) parse(chosen bool) (report.Format, error) {
	if f.asJSON && chosen && f.format != string(report.FormatJSON) {
		return "", fmt.Errorf("--json and --format %s are two formats: write one of them", f.format)
	}
	if f.asJSON {
		return report.FormatJSON, nil
	}
	return report.ParseFormat(f.format)
}

func (env *Env) report(dir string, format report.Format, output string) error {
	if err := env.limitReader(false); err != nil {
		return err
	}
	r, err := env.readResult(env.path(dir))
	if err != nil {
		return err
	}
	options := report.Options{Width: env.Width, Color: env.color()}
	if output == "" {
		if err := report.Write(env.Out, format, r, options); err != nil {
			return err
		}
		return exitWith(r.Card.Exit)
	}
	var b bytes.Buffer
	if err := report.Write(&b, format, r, report.Options{}); err != nil {
		return err
	}
	if err := replaceFile(env.path(output), b.Bytes()); err != nil {
		return invalid("name a file that can be written with -o", "write the report: %w", err)
	}
	fmt.Fprintf(env.Err, "Wrote %s\n", output)
	return exitWith(r.Card.Exit)
}

// replaceFile writes a file as a whole: a reader sees the old one or the new one.
func replaceFile(name string, data []byte) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", name)
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), ".coalmine-*")
	if err != nil {
		return fmt.Errorf("make a file in %s: %w", filepath.Dir(name), withoutTemporary(err))
	}
	defer os.Remove(temporary.Name()) // gone after the rename
	_, err = temporary.Write(data)
	if err = errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), name)
}
