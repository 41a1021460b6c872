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

// verifiedCheckSeeds is how many check seeds verify plays by default: few enough for an answer within
// seconds. Of 20 recorded results of which 10 are forged, 3 picked at random show one in 9 of 10 calls.
const verifiedCheckSeeds = 3

func newVerifyCommand(env *Env) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify RUNDIR",
		Short: "Play a recorded trial again and compare it with its logs",
		Long: "Play the runs of a run folder again, in the sim, with the scenario and the guardrails in it, and " +
			"compare every byte with the recorded logs; of check seeds, the digests of the logs. Digests can be " +
			"edited like any file: only this shows that the logs are true. Of the check seeds only some are " +
			"played, which the answer says: --check-seeds 20 plays them all.\n\n" +
			"Exit codes: 0 identical, 1 the lab failed, 2 the folder cannot be read or its files do not belong " +
			"together, 3 a run differs, 5 not decided: another version of coalmine played it, or runs cannot be " +
			"played again.",
		Example: `coalmine verify runs/full-rollout-1
coalmine verify handed-in --json
coalmine verify handed-in --scenario ./my-scenario`,
		Args: exactly("RUNDIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return env.verify(cmd.Context(), args[0], f) },
	}
	cmd.Flags().IntVar(&f.checkSeeds, "check-seeds", verifiedCheckSeeds, "play `N` of the check seeds again, "+
		"picked at random; 20 are all of a usual trial")
	cmd.Flags().StringVar(&f.scenario, "scenario", "", "`DIR` of the scenario, if it is not in the library: it has "+
		"the solution that was played")
	jsonFlag(cmd, &f.asJSON)
	return cmd
}

// verifyFlags are the options of verify.
type verifyFlags struct {
	checkSeeds int
	scenario   string
	asJSON     bool
}

func (env *Env) verify(ctx context.Context, dir string, f verifyFlags) error {
	o := verify.Options{Player: env.Player, Workers: env.Workers, CheckSeeds: f.checkSeeds,
		Binary: folder.Binary{Version: env.Version, Digest: env.BinaryDigest()}}
	if f.scenario != "" {
		src, err := env.openScenario(f.scenario)
		if err != nil {
			return err
		}
		defer src.Close()
		o.Scenario = src.Folder
	}
	r, err := verify.Folder(ctx, env.path(dir), o)
	if err != nil {
		return err
	}
	text, code := verified(r)
	if f.asJSON {
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
	what := format.Plural(len(r.Runs), "run")
	switch n := len(r.Check); {
	case n < r.CheckSeeds:
		what += fmt.Sprintf(", %d of %s", n, format.Plural(r.CheckSeeds, "check seed"))
	case n > 0:
		what += ", " + format.Plural(n, "check seed")
	}
	switch {
	case r.Identical() && r.OtherVersion:
		return fmt.Sprintf("identical: %s, recorded by another build", what), score.ExitPassed
	case r.Identical():
		return "identical: " + what, score.ExitPassed
	case differs && r.OtherVersion:
		return fmt.Sprintf("%s; different %s", other, where(first)), score.ExitInconclusive
	case differs:
		return "different " + where(first), score.ExitMissed
	}
	for _, x := range r.All() {
		if !x.Identical {
			return fmt.Sprintf("not decided: %s was not compared: %s", x.Name, x.Reason), score.ExitInconclusive
		}
	}
	return "not decided: there are no runs", score.ExitInconclusive
}

// where says where a run differs.
func where(r verify.Run) string {
	if r.Event > 0 {
		return fmt.Sprintf("at event %d of %s", r.Event, r.Name)
	}
	return fmt.Sprintf("at %s: %s", r.Name, r.Reason)
}
