package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/tui/wrap"
)

// maxHelpWidth keeps lines short enough to read.
const maxHelpWidth = 100

// setHelp sets the help of a command and its subcommands: plain text in the terminal's width. It
// must not query the terminal, not even for the background colour: a late answer would end up on
// the user's next command line.
func (env *Env) setHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { env.writeHelp(env.Out, cmd) })
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		env.writeHelp(env.Err, cmd)
		return nil
	})
	root.SetHelpCommand(newHelpCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
}

func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB]",
		Short: "Show the help of a verb",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownVerb(cmd.Root(), args)
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		},
	}
}

func (env *Env) writeHelp(w io.Writer, cmd *cobra.Command) {
	width := min(env.Width, maxHelpWidth)
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	for paragraph := range strings.SplitSeq(about, "\n") {
		fmt.Fprintln(w, strings.Join(wrap.Text(paragraph, width), "\n"))
	}
	env.helpSection(w, "Usage", usageLine(cmd))
	env.helpSection(w, "Examples", cmd.Example)
	env.helpSection(w, "Verbs", verbs(cmd, width))
	env.helpSection(w, "Flags", strings.TrimRight(cmd.LocalFlags().FlagUsagesWrapped(width), "\n"))
}

// helpSection writes an indented block under a heading, or nothing if text is empty.
func (env *Env) helpSection(w io.Writer, heading, text string) {
	if text == "" {
		return
	}
	if env.color() {
		heading = "\x1b[1m" + heading + "\x1b[0m"
	}
	fmt.Fprintf(w, "\n%s\n", heading)
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, " ") {
			line = "  " + line
		}
		fmt.Fprintln(w, line)
	}
}

func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() && !cmd.HasParent() {
		return cmd.CommandPath() + " VERB"
	}
	return cmd.UseLine()
}

// verbs lists the subcommands with their short descriptions.
func verbs(cmd *cobra.Command, width int) string {
	column := 0
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			column = max(column, len(c.Use)+2)
		}
	}
	var lines []string
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() && c.Name() != "help" {
			continue
		}
		use := c.Use
		for _, text := range wrap.Text(c.Short, width-2-column) {
			lines = append(lines, fmt.Sprintf("%-*s%s", column, use, text))
			use = ""
		}
	}
	for i := range lines {
		lines[i] = "  " + lines[i]
	}
	return strings.Join(lines, "\n")
}
