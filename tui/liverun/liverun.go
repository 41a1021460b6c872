// Package liverun is a trial as it is watched: its runs, their recordings that may still grow, and the card when there is
// one. What happens outside comes over a [Feed]; nothing here plays, reads or waits but the feed's own [Feed.Next].
package liverun

import (
	"fmt"
	"slices"

	"coalmine/lab/event"
	"coalmine/lab/verdict/score"
	"coalmine/tui/recording"
)

// Status of a run.
type Status int

// A run waits for its turn, is being played, and is whole or broken.
const (
	Pending Status = iota
	Playing
	Complete
	Failed
)

// Run is one run of a trial.
type Run struct {
	// Name is the run's as in [score.EventRef].
	Name    string
	Part    score.Role
	Seed    uint64
	Version string

	Status Status
	// Problem says what is wrong with a broken log, and at which line; "" for none.
	Problem string
	Rec     *recording.Recording
}

// Title names the run for people.
func (r *Run) Title() string { return fmt.Sprintf("%s, seed %d", r.Part, r.Seed) }

// Trial is one or more runs of the same guardrails.
type Trial struct {
	// Scenario is its name, Title its title.
	Scenario, Title string
	// Guardrails tells where they came from, for people.
	Guardrails string
	Runs       []*Run

	// Card is the score, nil until everything was played.
	Card *score.Card
	// Done is set when nothing more will come; Problem says why that was too early.
	Done    bool
	Problem string
}

// RunIndex returns the run of a name, -1 when there is none.
func (t *Trial) RunIndex(name string) int {
	return slices.IndexFunc(t.Runs, func(r *Run) bool { return r.Name == name })
}

// Counterpart is the run of another part with the same seed, nil when there is none.
func (t *Trial) Counterpart(r *Run, part score.Role) *Run {
	for _, o := range t.Runs {
		if o.Seed == r.Seed && o.Part == part {
			return o
		}
	}
	return nil
}

// DefaultRun is the run to show first: the learner's first faulty one of which there is something to see, or the first of them, or
// the first of all.
func (t *Trial) DefaultRun() int {
	first := -1
	for i, r := range t.Runs {
		if r.Part == score.RoleFaulty && (first < 0 || t.Runs[first].Rec == nil && r.Rec != nil) {
			first = i
		}
	}
	if first < 0 || t.Done && t.Runs[first].Rec == nil {
		first = slices.IndexFunc(t.Runs, func(r *Run) bool { return r.Rec != nil })
	}
	return max(0, first)
}

// update is something that came over a feed.
type update struct {
	run    int
	events []event.Event
	status Status
	// problem of the run, or of the trial when done is set.
	problem string
	card    *score.Card
	done    bool
}

func (n update) apply(t *Trial) {
	if n.done {
		t.Card, t.Problem, t.Done = n.card, n.problem, true
		return
	}
	if n.run < 0 || n.run >= len(t.Runs) {
		return
	}
	r := t.Runs[n.run]
	if r.Rec == nil {
		r.Rec = recording.New()
	}
	r.Rec.Append(n.events...)
	if n.status != Pending {
		r.Status = n.status
	}
	if n.problem != "" {
		r.Problem = n.problem
	}
}

// RunNames lists the runs' names.
func (t *Trial) RunNames() []string {
	var names []string
	for _, r := range t.Runs {
		names = append(names, r.Name)
	}
	return names
}
