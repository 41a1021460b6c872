// Package compare sets two run folders side by side, such as one of the sim and one of a kind
// cluster, and says whether the same came of them.
package compare

import (
	"fmt"
	"slices"
	"strings"

	"coalmine/lab/event"
	"coalmine/lab/input"
	"coalmine/lab/run/result"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// Comparison is what two run folders have in common and what not.
type Comparison struct {
	// Sides describe the folders in the order in which they were given.
	Sides [2]Side `json:"sides"`
	// Runs are the runs that both folders have.
	Runs []Run `json:"runs"`
	// Notes name what makes the folders hard to compare: other inputs, runs of one of them only.
	Notes []string `json:"notes,omitempty"`
}

// Side is one of the two folders.
type Side struct {
	Name     string `json:"name"`
	Scenario string `json:"scenario"`
	Cluster  string `json:"cluster"`
	Mesh     string `json:"mesh"`
}

// Run is one run in both folders.
type Run struct {
	// Name is the run's name, or both names if the folders have one run each.
	Name string `json:"run"`
	// SameOutcome and SameStep report whether the verdicts and the steps of the rollback agree.
	SameOutcome bool       `json:"same_outcome"`
	SameStep    bool       `json:"same_step"`
	Figures     [2]Figures `json:"figures"`
}

// Figures are what came of a run in one folder. Times are since the start of the run; nil stands for
// what never happened.
type Figures struct {
	Verdict score.Verdict `json:"verdict"`
	Reason  string        `json:"reason"`
	// Step counts the steps that the canary had been advanced when it was rolled back, Weight is its
	// share of the traffic then, in percent. Both are nil if it was not rolled back.
	Step   *int `json:"step,omitempty"`
	Weight *int `json:"weight,omitempty"`

	Released *event.Seconds `json:"released,omitempty"`
	FirstBad *event.Seconds `json:"first_bad,omitempty"`
	Detected *event.Seconds `json:"detected,omitempty"`
	Abort    *event.Seconds `json:"abort,omitempty"`
	Promoted *event.Seconds `json:"promoted,omitempty"`

	// Harm counts bad requests beyond the baseline, as the card does; in unguarded and reference
	// runs the requests that the fault hit or a proxy answered.
	Harm      int `json:"harm"`
	UsersHurt int `json:"users_hurt"`
	// CanaryRequests are those that the canary answered before the decision, Share their share of
	// the released service's.
	CanaryRequests int     `json:"canary_requests"`
	Share          float64 `json:"canary_share"`

	Requests Requests            `json:"requests"`
	Cohorts  map[string]Requests `json:"cohorts"`
}

// Requests are counts of requests by status. Events keep the classes that verdicts need.
type Requests struct {
	All int `json:"all"`
	// Failed counts those answered 5xx or not at all, Denied 403, Limited 429; Other the rest,
	// which is 2xx to 4xx.
	Failed  int `json:"failed"`
	Denied  int `json:"denied"`
	Limited int `json:"limited"`
	Other   int `json:"other"`
	// Bad counts those that hurt users, whatever their status: slow and wrong ones too.
	Bad int `json:"bad"`
}

// Agree reports whether outcome and step agree in all runs.
func (c *Comparison) Agree() bool {
	return !slices.ContainsFunc(c.Runs, func(r Run) bool { return !r.SameOutcome || !r.SameStep })
}

// Folders compares two run folders. It is an error of the input if one cannot be read, if they are
// of different scenarios, or if they have no run in common.
func Folders(names, dirs [2]string) (*Comparison, error) {
	var rs [2]*result.Recording
	for i, dir := range dirs {
		r, err := result.Read(dir)
		if err != nil {
			return nil, err
		}
		rs[i] = r
	}
	if a, b := rs[0].Scenario.Name, rs[1].Scenario.Name; a != b {
		return nil, input.New("name two run folders of one scenario", "%s is of the scenario %s and %s of %s",
			names[0], a, names[1], b)
	}
	c := &Comparison{}
	for i, r := range rs {
		c.Sides[i] = sideOf(names[i], r)
	}
	c.Notes = inputNotes(rs)
	c.pair(rs)
	if len(c.Runs) == 0 {
		return nil, input.New("play both with the same seeds and roles", "%s and %s have no run in common%s", names[0],
			names[1], notesText(c.Notes))
	}
	return c, nil
}

func notesText(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return ": " + strings.Join(notes, "; ")
}

func sideOf(name string, r *result.Recording) Side {
	s := Side{Name: name, Scenario: r.Scenario.Name}
	for _, l := range r.Logs {
		if l.Timeline != nil {
			s.Cluster, s.Mesh = l.Timeline.Run.Cluster, l.Timeline.Run.Mesh
			break
		}
	}
	return s
}

// inputNotes say which inputs differ.
func inputNotes(rs [2]*result.Recording) []string {
	var notes []string
	if rs[0].Scenario.Digest() != rs[1].Scenario.Digest() {
		notes = append(notes, "the scenarios have the same name and differ")
	}
	var sums [2]string
	for i, r := range rs {
		for _, l := range r.Logs {
			role := score.Role(l.Run.Role)
			if l.Timeline != nil && role != score.RoleUnguarded && role != score.RoleReference {
				sums[i] = l.Timeline.Run.GuardrailsDigest
			}
		}
	}
	if sums[0] != sums[1] {
		notes = append(notes, "the guardrails differ")
	}
	return notes
}

// pair finds the runs of the same role and seed. Two folders of one run each are a pair whatever the
// seeds.
func (c *Comparison) pair(rs [2]*result.Recording) {
	a, b := played(rs[0]), played(rs[1])
	if len(a) == 1 && len(b) == 1 && a[0].Run.Name() != b[0].Run.Name() {
		c.Notes = append(c.Notes, fmt.Sprintf("the run of one is %s, that of the other %s", a[0].Run.Name(),
			b[0].Run.Name()))
		c.add(a[0].Run.Name()+", "+b[0].Run.Name(), rs, [2]result.Log{a[0], b[0]})
		return
	}
	for i, logs := range [2][]result.Log{a, b} {
		if only := without(logs, [2][]result.Log{b, a}[i]); len(only) > 0 {
			c.Notes = append(c.Notes, "only "+c.Sides[i].Name+" has "+strings.Join(only, ", "))
		}
	}
	for _, l := range a {
		if i := slices.IndexFunc(b, func(m result.Log) bool { return m.Run.Name() == l.Run.Name() }); i >= 0 {
			c.add(l.Run.Name(), rs, [2]result.Log{l, b[i]})
		}
	}
}

func played(r *result.Recording) []result.Log {
	return slices.DeleteFunc(slices.Clone(r.Logs), func(l result.Log) bool { return l.Timeline == nil })
}

// without names the runs of which others has none.
func without(logs, others []result.Log) []string {
	var names []string
	for _, l := range logs {
		name := l.Run.Name()
		if !slices.ContainsFunc(others, func(o result.Log) bool { return o.Run.Name() == name }) {
			names = append(names, name)
		}
	}
	return names
}

// add compares two logs of one run.
func (c *Comparison) add(name string, rs [2]*result.Recording, logs [2]result.Log) {
	run := Run{Name: name}
	for i, l := range logs {
		run.Figures[i] = figuresOf(rs[i], l)
		for _, what := range unfinished(l) {
			c.Notes = append(c.Notes, fmt.Sprintf("%s in %s: %s", l.Run.Name(), c.Sides[i].Name, what))
		}
	}
	a, b := run.Figures[0], run.Figures[1]
	run.SameOutcome = a.Verdict == b.Verdict && a.Verdict != score.Inconclusive
	run.SameStep = equal(a.Step, b.Step)
	c.Runs = append(c.Runs, run)
}

func unfinished(l result.Log) []string {
	if l.Err != nil {
		return []string{l.Err.Error()}
	}
	return nil
}

func equal(a, b *int) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func figuresOf(r *result.Recording, l result.Log) Figures {
	t := l.Timeline
	j := score.Judge(t, r.Scenario.Rubric)
	f := Figures{
		Verdict: j.Verdict, Reason: j.Reason,
		Released: seconds(t.Released), FirstBad: seconds(t.FirstBad), Detected: seconds(t.Detected),
		Abort: seconds(t.Abort), Promoted: seconds(t.Promoted),
		CanaryRequests: t.CanaryRequests, Share: t.ActualShare(), Cohorts: map[string]Requests{},
	}
	for _, k := range t.Keys() {
		n := requestsOf(t.Count(k))
		f.Requests = f.Requests.plus(n)
		f.Cohorts[k.Cohort] = f.Cohorts[k.Cohort].plus(n)
	}
	sum := t.Sum(func(timeline.Key) bool { return true })
	f.Harm = sum.Harm + sum.ByMesh
	if t.Totals != nil {
		for _, n := range t.Totals.Hurt {
			f.UsersHurt += n
		}
	}
	if t.Abort.Happened() {
		step, weight := stepsBefore(t, t.Abort), t.WeightAtAbort
		f.Step, f.Weight = &step, &weight
	}
	f.fromCard(r, l)
	return f
}

// fromCard takes what the folder's card says of the run, which knows the other runs of its seed.
func (f *Figures) fromCard(r *result.Recording, l result.Log) {
	for _, row := range r.Card().Runs {
		if row.Role == l.Run.Role && row.Seed == l.Run.Seed {
			f.Verdict, f.Reason, f.Harm, f.UsersHurt = row.Verdict, row.Reason, row.Harm, row.UsersHurt
		}
	}
}

// stepsBefore counts how often the canary was advanced between its release and a moment.
func stepsBefore(t *timeline.Timeline, at timeline.Moment) int {
	n := 0
	for _, c := range t.Changes {
		if c.Seq > t.Released.Seq && c.Seq < at.Seq && c.Advanced() {
			n++
		}
	}
	return n
}

func seconds(m timeline.Moment) *event.Seconds {
	if !m.Happened() {
		return nil
	}
	s := event.Seconds(m.At)
	return &s
}

func requestsOf(c timeline.Counts) Requests {
	return Requests{All: c.N, Failed: c.Errors, Denied: c.Denied, Limited: c.Limited,
		Other: c.N - c.Errors - c.Denied - c.Limited, Bad: c.Bad}
}

func (r Requests) plus(o Requests) Requests {
	return Requests{All: r.All + o.All, Failed: r.Failed + o.Failed, Denied: r.Denied + o.Denied,
		Limited: r.Limited + o.Limited, Other: r.Other + o.Other, Bad: r.Bad + o.Bad}
}
