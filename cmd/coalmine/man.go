package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"coalmine/lab/format"
)

func newManCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write manual pages",
		Long: "Write a manual page for each verb into a folder, which is made if it is missing. To read them, name " +
			"the folder in MANPATH as its man1, or give man the path of a page.",
		Example: `coalmine man ~/.local/share/man/man1
man coalmine-run`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := env.path(args[0])
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return invalid("name a folder that can be written", "write the manual pages: %w", err)
			}
			header := &doc.GenManHeader{Section: "1", Source: "coalmine " + env.Version, Manual: "coalmine"}
			cmd.Root().DisableAutoGenTag = true
			if err := doc.GenManTree(cmd.Root(), header, dir); err != nil {
				return invalid("name a folder that can be written", "write the manual pages: %w", err)
			}
			pages, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Out, "%s has %s\n", args[0], format.Plural(len(pages), "page"))
			return err
		},
	}
}
