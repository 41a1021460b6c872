package main

import (
	"fmt"

	"coalmine/lab/progress"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
)

// book is the learner's logbook.
func (env *Env) book() (*progress.Store, error) {
	dir, err := progress.DefaultDir(env.Getenv)
	if err != nil {
		return nil, err
	}
	return progress.Open(dir, env.Now), nil
}

// note changes a scenario's entry in the logbook. That it cannot be kept is told, and no reason to fail: what was asked for is
// done already.
func (env *Env) note(scenario string, change func(*progress.Entry)) {
	b, err := env.book()
	if err == nil {
		_, err = b.Update(scenario, change)
	}
	if err != nil {
		fmt.Fprintln(env.Err, err)
	}
}

// noteHints notes that hints of a scenario of the library were shown.
func (env *Env) noteHints(src *trial.Source, hints int) {
	if hints == 0 || src.OnDisk() {
		return
	}
	env.note(src.Scenario.Name, tookHints(hints))
}

// noteTrial notes what a learner's guardrails reached in a scenario of the library. The scenario's own guardrails reach nothing,
// nor does a trial of one version.
func (env *Env) noteTrial(src *trial.Source, t *trial.Trial, c *score.Card) {
	if src.OnDisk() || t.Manifest.Options.Guardrails != "" || t.OneVersion() || !counts(c) {
		return
	}
	env.note(src.Scenario.Name, scored(c))
}

// counts tells whether a card says something about the guardrails.
func counts(c *score.Card) bool {
	return c.Exit != score.ExitLabFailed && c.Exit != score.ExitInconclusive
}

func tookHints(hints int) func(*progress.Entry) {
	return func(e *progress.Entry) { e.Hints = max(e.Hints, min(hints, scenario.HintLevels)) }
}

// scored takes a card into an entry. Hints that were taken before it cost points.
func scored(c *score.Card) func(*progress.Entry) {
	return func(e *progress.Entry) {
		e.AddTrial(c.Exit == score.ExitPassed, c.Points, c.MaxPoints, scenario.HintCost(e.Hints, c.MaxPoints))
	}
}
