package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"coalmine/lab/format"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/verify"
	"coalmine/lab/verdict/score"
)

func newVerifyCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify RUNDIR",
		Short: "Play a recorded trial again and compare it with its logs",
		Long: "Play the runs of a run folder again, in the sim, with the scenario and the guardrails in it, and " +
			"compare every byte with the recorded logs. Digests can be edited like any file: only this shows that " +
			"the logs are " +
			"true.\n\n" +
			"Exit codes: 0 identical, 1 the lab failed, 2 the folder cannot be read or its files do not belong " +
			"together, 3 a run differs, 5 not decided: another version of coalmine played it, or runs cannot be " +
			"played again.",
		Example: `coalmine verify runs/full-rollout-1
coalmine verify handed-in --json`,
		Args: exactly("RUNDIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return env.verify(cmd.Context(), args[0], asJSON) },
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (env *Env) verify(ctx context.Context, dir string, asJSON bool) error {
	r, err := verify.Folder(ctx, env.path(dir), verify.Options{
		Player: env.Player, Workers: env.Workers, Binary: folder.Binary{Version: env.Version,
			Digest: env.BinaryDigest()},
	})
	if err != nil {
		return err
	}
	text, code := verified(r)
	if asJSON {
		err = writeJSON(env.Out, struct {
			Outcome string `json:"outcome"`
			*verify.Result
		}{text, r})
	} else {
		_, err = fmt.Fprintln(env.Out, text)
		for _, remark := range r.Remarks {
			fmt.Fprintln(env.Out, remark)
		}
	}
	if err != nil {
		return err
	}
	return exitWith(code)
}

// verified says what came of a verification, with its exit code.
func verified(r *verify.Result) (string, int) {
	other := fmt.Sprintf("other version: coalmine %s recorded the trial",
		cmp.Or(r.Played.Version, "of unknown version"))
	first, differs := r.Differs()
	switch {
	case r.Identical() && r.OtherVersion:
		return fmt.Sprintf("identical: %s, recorded by another build", format.Plural(len(r.Runs), "run")),
			score.ExitPassed
	case r.Identical():
		return fmt.Sprintf("identical: %s", format.Plural(len(r.Runs), "run")), score.ExitPassed
	case differs && r.OtherVersion:
		return fmt.Sprintf("%s; different at event %d of %s", other, first.Event, first.Name), score.ExitInconclusive
	case differs:
		return fmt.Sprintf("different at event %d of %s", first.Event, first.Name), score.ExitMissed
	}
	for _, x := range r.Runs {
		if !x.Identical {
			return fmt.Sprintf("not decided: %s was not compared: %s", x.Name, x.Reason), score.ExitInconclusive
		}
	}
	return "not decided: there are no runs", score.ExitInconclusive
}
