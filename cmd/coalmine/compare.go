package main

import (
	"github.com/spf13/cobra"

	"coalmine/lab/run/compare"
	"coalmine/lab/verdict/score"
)

func newCompareCommand(env *Env) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "compare RUNDIR RUNDIR",
		Short: "Set two run folders side by side",
		Long: "Set two run folders of one scenario side by side, run by run: outcome, step and time of the rollback, " +
			"first bad request, harm, exposure, and requests by status, for all users and for each cohort. It is " +
			"meant for the same trial on the sim and on a cluster, and for two versions of guardrails.\n\n" +
			"Exit codes: 0 outcome and step agree in every run that both folders have, 3 they differ, 2 the folders " +
			"cannot be compared.",
		Example: `coalmine compare runs/full-rollout-1 runs/full-rollout-kind
coalmine compare before after --json`,
		Args: exactly("RUNDIR", "RUNDIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return env.compare([2]string(args), asJSON) },
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (env *Env) compare(dirs [2]string, asJSON bool) error {
	if err := env.limitReader(false); err != nil {
		return err
	}
	c, err := compare.Folders(dirs, [2]string{env.path(dirs[0]), env.path(dirs[1])})
	if err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(env.Out, c)
	} else {
		err = c.Text(env.Out)
	}
	if err == nil && !c.Agree() {
		err = exitWith(score.ExitMissed)
	}
	return err
}
