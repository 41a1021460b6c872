package main

import "github.com/spf13/cobra"

func newReportCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "report RUNDIR",
		Short: "Score a run folder again from its recorded events",
		Long: "Score a run folder again, from its recorded events and its scenario alone. The exit code is that of the run, or 5 when the " +
			"trial was interrupted and what was played has passed.",
		Args: exactly("RUNDIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := env.readResult(env.path(args[0]))
			if err != nil {
				return err
			}
			if err := env.writeResult(r, asJSON); err != nil {
				return err
			}
			return ended(r.exit)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}
