// Package liverun holds a trial while it is watched: its runs, their recordings that may still
// grow, and the card once there is one. Everything from outside arrives through a [Feed]; only
// [Feed.Next] blocks.
package liverun

import (
	"fmt"
	"slices"

	"coalmine/lab/event"
	"coalmine/lab/verdict/score"
	"coalmine/tui/recording"
)

// Status is the state of a run.
type Status int

// A run is pending, then playing, and ends complete or failed.
const (
	Pending Status = iota
	Playing
	Complete
	Failed
)

// Run is one run of a trial.
type Run struct {
	// Name is the run's name as in [score.EventRef].
	Name    string
	Role    score.Role
	Seed    uint64
	Version string

	Status Status
	// Problem says what is wrong with a failed run's log, and at which line; "" if nothing is.
	Problem string
	Rec     *recording.Recording
}

// Title returns the run's name for people.
func (r *Run) Title() string { return fmt.Sprintf("%s, seed %d", r.Role, r.Seed) }

// Trial is one or more runs of the same guardrails.
type Trial struct {
	// Scenario is its name, Title its title.
	Scenario, Title string
	// Guardrails names their source, for people.
	Guardrails string
	Runs       []*Run

	// Checked of CheckSeeds check seeds have been played; both are 0 before the first.
	Checked, CheckSeeds int
	// Card is the score, nil until every run has been played.
	Card *score.Card
	// Done is set when nothing more will arrive; Problem says why that was too early.
	Done    bool
	Problem string
}

// RunIndex returns the index of the run with a name, or -1.
func (t *Trial) RunIndex(name string) int {
	return slices.IndexFunc(t.Runs, func(r *Run) bool { return r.Name == name })
}

// Counterpart returns the run of another role with the same seed, or nil.
func (t *Trial) Counterpart(r *Run, role score.Role) *Run {
	for _, o := range t.Runs {
		if o.Seed == r.Seed && o.Role == role {
			return o
		}
	}
	return nil
}

// DefaultRun returns the index of the run to show first: the learner's first faulty run with a
// recording, else the first faulty run, else the first run.
func (t *Trial) DefaultRun() int {
	first := -1
	for i, r := range t.Runs {
		if r.Role == score.RoleFaulty && (first < 0 || t.Runs[first].Rec == nil && r.Rec != nil) {
			first = i
		}
	}
	if first < 0 || t.Done && t.Runs[first].Rec == nil {
		first = slices.IndexFunc(t.Runs, func(r *Run) bool { return r.Rec != nil })
	}
	return max(0, first)
}

// update is one change that a feed carries.
type update struct {
	run    int
	events []event.Event
	status Status
	// problem is the run's, or the trial's if done is set.
	problem string
	card    *score.Card
	done    bool
	// checked of checkSeeds check seeds have been played; no other field is set then.
	checked, checkSeeds int
}

func (n update) apply(t *Trial) {
	if n.done {
		t.Card, t.Problem, t.Done = n.card, n.problem, true
		return
	}
	if n.checkSeeds > 0 {
		t.Checked, t.CheckSeeds = max(t.Checked, n.checked), n.checkSeeds
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

// CheckText says how far the check seeds are, or "" if none are being played.
func (t *Trial) CheckText() string {
	if t.CheckSeeds == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d check seeds done", t.Checked, t.CheckSeeds)
}

// RunNames lists the names of the runs.
func (t *Trial) RunNames() []string {
	var names []string
	for _, r := range t.Runs {
		names = append(names, r.Name)
	}
	return names
}
