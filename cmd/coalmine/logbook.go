package main

import (
	"fmt"

	"coalmine/lab/logbook"
	"coalmine/lab/score"
	"coalmine/scenarios"
)

// book is the learner's logbook.
func (env *Env) book() (*logbook.Store, error) {
	dir, err := logbook.DefaultDir(env.Getenv)
	if err != nil {
		return nil, err
	}
	return logbook.Open(dir, env.Now), nil
}

// note changes a scenario's entry in the logbook. That it cannot be kept is told, and no reason to fail: what was asked for is
// done already.
func (env *Env) note(scenario string, change func(*logbook.Entry)) {
	b, err := env.book()
	if err == nil {
		_, err = b.Update(scenario, change)
	}
	if err != nil {
		fmt.Fprintln(env.Err, err)
	}
}

// noteHints notes that hints of a scenario of the library were shown.
func (env *Env) noteHints(src *source, hints int) {
	if hints == 0 || src.OnDisk() {
		return
	}
	env.note(src.scenario.Name, tookHints(hints))
}

// noteTrial notes what a learner's guardrails reached in a scenario of the library. The scenario's own guardrails reach nothing,
// nor does a trial of one version.
func (env *Env) noteTrial(src *source, t *trial, r *result) {
	if src.OnDisk() || t.manifest.Options.Guardrails != "" || alone(r.Runs) || !counts(&r.Card) {
		return
	}
	env.note(src.scenario.Name, scored(&r.Card))
}

// counts tells whether a card says something about the guardrails.
func counts(c *score.Card) bool {
	return c.Exit != score.ExitLabFailed && c.Exit != score.ExitInconclusive
}

func tookHints(hints int) func(*logbook.Entry) {
	return func(e *logbook.Entry) { e.Hints = max(e.Hints, min(hints, scenarios.HintLevels)) }
}

// scored takes a card into an entry. Hints that were taken before it cost points.
func scored(c *score.Card) func(*logbook.Entry) {
	return func(e *logbook.Entry) {
		e.AddTrial(c.Exit == score.ExitPassed, c.Points, c.MaxPoints, scenarios.HintCost(e.Hints, c.MaxPoints))
	}
}
