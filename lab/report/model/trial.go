// Package model is what all reports on a trial say, whatever their form: the run that shows most,
// what users and budgets lost, what noticed and what did not, the scorecard, and the lines of the
// guardrails that mattered.
//
// It is a pure function of recorded events, the scenario and the guardrails, and decides nothing
// that the score decides.
package model

import (
	"cmp"
	"fmt"
	"slices"

	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// Trial is what reports on a trial are made of.
type Trial struct {
	Scenario *scenario.Scenario
	Card     score.Card
	// Runs are all that were recorded, the unguarded and reference ones too.
	Runs []score.RunResult
	// Guardrails are the manifests by file name, as they were played.
	Guardrails map[string][]byte
	// Variant is the name of the scenario's own guardrails that were played; "" for other ones.
	Variant string
	// Single is the timeline of the only run, if one run of one version was played; its text report
	// is the narrative of the run.
	Single *timeline.Timeline
	// Notes say what is missing from the recording or broken in it.
	Notes []string
}

// AllNotes lists what readers have to know first: what is missing from the recording, and the
// card's remarks on where it comes from.
func (t *Trial) AllNotes() []string { return slices.Concat(t.Notes, t.Card.Remarks) }

// Run is one run of the learner's guardrails.
type Run struct {
	Row      score.Row
	Timeline *timeline.Timeline
	// Unguarded and Reference are the same seed without guardrails and with the scenario's
	// solution; nil if they were not played.
	Unguarded, Reference *timeline.Timeline
}

// RunName is the name of a run in event references.
func RunName(r score.RunResult) string {
	return cmp.Or(r.Name, fmt.Sprintf("%s-%d", r.Role, r.Timeline.Run.Seed))
}

// Faulty reports whether the run is one of the faulty version.
func (r Run) Faulty() bool { return r.Row.Role == string(score.RoleFaulty) }

// Learner lists the runs of the learner's guardrails, in the card's order.
func (t *Trial) Learner() []Run {
	var runs []Run
	for _, row := range t.Card.Runs {
		if r, ok := t.run(row); ok {
			runs = append(runs, r)
		}
	}
	return runs
}

// Highlight is the learner's run that shows most; ok is false for a trial without any.
func (t *Trial) Highlight() (Run, bool) {
	row, ok := Highlight(t.Card.Runs)
	if !ok {
		return Run{}, false
	}
	return t.run(row)
}

func (t *Trial) run(row score.Row) (Run, bool) {
	r := Run{Row: row}
	for _, other := range t.Runs {
		switch {
		case RunName(other) == row.Run:
			r.Timeline = other.Timeline
		case other.Timeline.Run.Seed != row.Seed || !r.Faulty():
		case other.Role == score.RoleUnguarded:
			r.Unguarded = other.Timeline
		case other.Role == score.RoleReference:
			r.Reference = other.Timeline
		}
	}
	return r, r.Timeline != nil
}

// Highlight picks the row that shows most: one that went wrong, else the faulty one with most harm,
// else the first.
func Highlight(runs []score.Row) (score.Row, bool) {
	if len(runs) == 0 {
		return score.Row{}, false
	}
	rank := func(r score.Row) int {
		switch {
		case r.Role == string(score.RoleFaulty) && !r.Verdict.Good() && r.Verdict != score.Inconclusive:
			return 3
		case r.Role != string(score.RoleFaulty) && !r.Verdict.Good() && r.Verdict != score.Inconclusive:
			return 2
		case r.Role == string(score.RoleFaulty):
			return 1
		}
		return 0
	}
	return slices.MaxFunc(runs, func(a, b score.Row) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return a.Harm - b.Harm
	}), true
}

// Provenance says in one line what was real and what was a model.
func Provenance(s score.Players) string {
	named := func(name, key string) string {
		if v := s.Versions[key]; v != "" {
			return name + " " + v
		}
		return name
	}
	flagger, prometheus, kubernetes := named("Flagger", "flagger"), named("Prometheus", "prometheus"),
		named("Kubernetes", "kubernetes")
	modelled := "the services and their users"
	switch s.Cluster {
	case "":
		return "No run was played."
	case "sim":
		return fmt.Sprintf("Real: %s, %s and PromQL. Modelled: Linkerd, Kubernetes, %s, time.", flagger,
			prometheus, modelled)
	}
	var text string
	if s.Mesh == "linkerd" {
		text = fmt.Sprintf("Real: %s, %s, %s, %s, HTTP and mTLS, time. Modelled: %s.", kubernetes,
			named("Linkerd", "linkerd"), flagger, prometheus, modelled)
	} else {
		text = fmt.Sprintf("Real: %s, %s, %s, HTTP and mTLS, time. Mesh: %s, in place of Linkerd. Modelled: %s.",
			kubernetes, flagger, prometheus, s.Mesh, modelled)
	}
	if s.ComparedIn != "" {
		text += fmt.Sprintf(" The unguarded and reference runs were played in the %s.", s.ComparedIn)
	}
	return text
}
