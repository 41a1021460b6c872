package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/teaching/grade/step"
	"coalmine/lab/verdict/score"
)

// exitStepFailed is what lab platforms take for a step that is not done.
const exitStepFailed = 1

func newCheckStepCommand(env *Env) *cobra.Command {
	var guardrails, expect string
	var seed uint64
	var names nameMap
	var reader readerFlags
	cmd := &cobra.Command{
		Use:   "check-step SCENARIO --expect WHAT",
		Short: "Check a step of a lab: exit code 0 or 1, and one line",
		Long: "Check a step of a lab on a platform such as Instruqt, Killercoda, iximiuz or Educates. It plays one " +
			"seed, which takes seconds, and prints one line.\n\n" +
			"WHAT is valid (the manifests can be played), missed (the faulty release gets through), caught (the " +
			"faulty release is caught and the healthy one is not stopped), delivered (the healthy release), or " +
			"passed (all that the scenario asks for).\n\n" +
			"Exit codes: 0 as expected, 1 not as expected, or the check failed.",
		Example: `coalmine check-step full-rollout --expect missed
coalmine check-step full-rollout --expect caught --guardrails ~/full-rollout`,
		Args: exactly("SCENARIO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := step.Options{Guardrails: guardrails, Base: env.Dir, Expect: expect, Seed: seed, Player: env.Player,
				Workers: env.Workers}
			return env.checkStep(cmd.Context(), args[0], names, reader, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&expect, "expect", step.ExpectPassed, "`WHAT` the step is about: "+
		strings.Join(step.Expectations(), ", "))
	flags.StringVarP(&guardrails, "guardrails", "g", ".", "`DIR` with manifests, or a file")
	flags.Uint64Var(&seed, "seed", 1, "`N` to play")
	names.add(flags)
	reader.add(flags)
	return cmd
}

// checkStep prints one line, also for errors: platforms show what is printed, and know two exit codes.
func (env *Env) checkStep(ctx context.Context, name string, names nameMap, reader readerFlags,
	o step.Options) error {
	r, err := env.stepResult(ctx, name, names, reader, o)
	if err != nil {
		r = step.Result{Reason: strings.Join(strings.Fields(err.Error()), " ")}
	}
	if r.OK {
		fmt.Fprintln(env.Out, "OK: "+r.Reason)
		return exitWith(score.ExitPassed)
	}
	fmt.Fprintln(env.Out, "FAIL: "+r.Reason)
	return outcome(exitStepFailed)
}

func (env *Env) stepResult(ctx context.Context, name string, names nameMap, reader readerFlags,
	o step.Options) (step.Result, error) {
	if err := env.limitReader(false); err != nil {
		return step.Result{}, err
	}
	src, err := env.openScenario(name)
	if err != nil {
		return step.Result{}, err
	}
	defer src.Close()
	src.Map = names
	if src.Reader, err = reader.options(env); err != nil {
		return step.Result{}, err
	}
	return step.Check(ctx, src, o)
}
