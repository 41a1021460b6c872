package score

import (
	"coalmine/lab/timeline"
	"coalmine/scenarios"
)

// Part says what a run is for in a trial.
type Part string

// Parts of a trial.
const (
	PartFaulty    Part = "faulty"    // the learner's guardrails, the faulty version
	PartHealthy   Part = "healthy"   // the learner's guardrails, the healthy version
	PartUnguarded Part = "unguarded" // no guardrail, the faulty version
	PartReference Part = "reference" // the scenario's own solution, the faulty version
)

// RunResult is one run of a trial.
type RunResult struct {
	// Name of the run in event references; "" stands for part-seed, as in faulty-7.
	Name     string
	Part     Part
	Timeline *timeline.Timeline
}

// Trial scores the runs of a trial. Runs of one part must have different seeds.
func Trial(s *scenarios.Scenario, runs []RunResult) Card {
	return Card{}
}

// ValidateRubric reports items that the score does not know, items that stand twice, and parameters out of range.
func ValidateRubric(r scenarios.Rubric) error { return nil }
