package main

import (
	"fmt"

	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/progress"
	"coalmine/lab/verdict/score"
)

// progressStore returns the store of the learner's progress.
func (env *Env) progressStore() (*progress.Store, error) {
	dir, err := progress.DefaultDir(env.Getenv)
	if err != nil {
		return nil, err
	}
	return progress.Open(dir, env.Now), nil
}

// updateProgress updates the progress in a scenario. An error is printed only, since what the user
// asked for is done already.
func (env *Env) updateProgress(scenario string, change func(*progress.Entry)) {
	store, err := env.progressStore()
	if err == nil {
		_, err = store.Update(scenario, change)
	}
	if err != nil {
		fmt.Fprintln(env.Err, err)
	}
}

// progressOf returns the learner's progress by scenario; nil if it cannot be read.
func (env *Env) progressOf() map[string]progress.Entry {
	store, err := env.progressStore()
	if err != nil {
		return nil
	}
	all, err := store.Read()
	if err != nil {
		return nil
	}
	return all
}

// announceNext names the easiest scenario that is not solved yet, after one was.
func (env *Env) announceNext(src *trial.Source, c *score.Card) {
	if byPath(src) || !solves(c) || c.Own != "" {
		return
	}
	all, _ := env.shelves().List() // what cannot be read is not next
	if next := scenario.Next(all, func(name string) bool { return env.progressOf()[name].Solved }); next != "" {
		fmt.Fprintf(env.Err, "Solved. The next one: coalmine show %s\n", next)
	}
}

// byPath reports whether a scenario has no place in the learner's progress: it was named by a path.
func byPath(src *trial.Source) bool { return src.OnDisk() && !src.Listed }

// hints returns how many hints of a scenario were taken, 0 if that is not known.
func (env *Env) hints(src *trial.Source) int {
	store, err := env.progressStore()
	if err != nil || byPath(src) {
		return 0
	}
	all, err := store.Read()
	if err != nil {
		return 0
	}
	return all[src.Scenario.Name].Hints
}

// recordHints records that hints of a scenario were shown, if it is not named by a path.
func (env *Env) recordHints(src *trial.Source, hints int) {
	if hints == 0 || byPath(src) {
		return
	}
	env.updateProgress(src.Scenario.Name, withHints(hints))
}

// recordTrial records the score of a learner's guardrails in a scenario that is not named by a path.
// Trials of one version do not count.
func (env *Env) recordTrial(src *trial.Source, t *trial.Trial, c *score.Card) {
	if byPath(src) || t.OneVersion() || !conclusive(c) || c.Own != "" && c.Own != scenario.Solution {
		return
	}
	env.updateProgress(src.Scenario.Name, withTrial(c))
}

// conclusive reports whether a card is a result of the guardrails.
func conclusive(c *score.Card) bool {
	return c.Exit != score.ExitLabFailed && c.Exit != score.ExitInconclusive
}

// solves reports whether a card shows that the learner solved the scenario: check seeds that nobody
// chose confirm it.
func solves(c *score.Card) bool {
	return c.Exit == score.ExitPassed && c.Check != nil && c.Check.Confirmed() && !c.Check.Given
}

// withHints returns an update to the number of hints taken.
func withHints(hints int) func(*progress.Entry) {
	return func(e *progress.Entry) { e.Hints = max(e.Hints, min(hints, scenario.HintLevels)) }
}

// withQuiz returns an update with the result of a quiz.
func withQuiz(right, of int) func(*progress.Entry) {
	return func(e *progress.Entry) { e.AddQuiz(right, of) }
}

// withTrial returns an update with a card's score. Hints that were taken before cost points. The
// scenario's own guardrails have no score: only that the solution was played is kept.
func withTrial(c *score.Card) func(*progress.Entry) {
	return func(e *progress.Entry) {
		if c.Own != "" {
			e.SolutionPlayed = e.SolutionPlayed || c.Own == scenario.Solution
			return
		}
		e.AddTrial(solves(c), c.Points, c.MaxPoints, scenario.HintCost(e.Hints, c.MaxPoints))
	}
}
