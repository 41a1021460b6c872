package score

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/timeline"
)

// finding is the result of one check in one run. An item quotes the note of the run with the
// greatest weight, failed runs first.
type finding struct {
	ok      bool
	weight  float64
	note    string
	moments []timeline.Moment
	// unmeasured is set if the run cannot be judged, because a run to compare it with is not there.
	unmeasured bool
}

// noRuns is the reason of an item if no run was played.
const noRuns = "no run to judge"

// gradeRuns asks every run and counts those that pass.
func gradeRuns(runs []*run, ask func(*run) finding) grade {
	g := grade{of: len(runs), reason: noRuns}
	var worst finding
	var name string
	for _, r := range runs {
		f := ask(r)
		if f.ok {
			g.passed++
		}
		g.unmeasured = g.unmeasured || f.unmeasured
		g.events = append(g.events, r.eventRefs(f.moments...)...)
		if name == "" || !f.ok && worst.ok || f.ok == worst.ok && f.weight > worst.weight {
			worst, name = f, r.Name
		}
	}
	switch {
	case g.of == 1:
		g.reason = worst.note
	case g.of > 1:
		g.reason = fmt.Sprintf("%d of %d runs; %s: %s", g.passed, g.of, name, worst.note)
	}
	return g
}

// gradeFaulty asks the runs of the faulty version. A run that does not count passes nothing.
func (t *trial) gradeFaulty(ask func(*run) finding) grade {
	return gradeRuns(t.faulty, func(r *run) finding {
		f := ask(r)
		if r.uncounted != "" && (f.ok || r.Verdict == Caught) {
			f.ok, f.note = false, r.uncounted
		}
		return f
	})
}

func (t *trial) gradeCaught(scenario.RubricItem) grade {
	return t.gradeFaulty(func(r *run) finding {
		return finding{ok: r.Verdict == Caught, note: r.Reason, moments: r.Moments}
	})
}

func (t *trial) gradeDelivered(scenario.RubricItem) grade {
	return gradeRuns(t.healthy, func(r *run) finding {
		return finding{ok: r.Verdict == Promoted, note: r.Reason, moments: r.Moments}
	})
}

func (t *trial) gradeHarm(i scenario.RubricItem) grade {
	limit := i.Limit
	if limit == 0 {
		limit = t.rubric.MaxHarm
	}
	return t.gradeFaulty(func(r *run) finding {
		ratio := r.harmRatio()
		if ratio == nil || !r.complete() {
			return finding{weight: 2, unmeasured: true,
				note: "not measured: there is no unguarded run to compare with"}
		}
		return finding{
			ok: *ratio <= limit, weight: *ratio,
			note: fmt.Sprintf("%s of the harm got through (%s allowed)", format.Percent(*ratio),
				format.Percent(limit)),
			moments: []timeline.Moment{r.Timeline.FirstBad, r.Timeline.LastBad},
		}
	})
}

func (t *trial) gradeDetection(i scenario.RubricItem) grade {
	limit := time.Duration(i.Limit * float64(time.Second))
	return t.gradeFaulty(func(r *run) finding {
		tl := r.Timeline
		moments := []timeline.Moment{tl.FirstBad, tl.Detected}
		took := tl.Detected.Since(tl.FirstBad)
		switch {
		case r.Verdict != Caught:
			return finding{weight: 1e9, note: "not caught: " + r.Reason, moments: moments}
		case !tl.FirstBad.Happened():
			return finding{ok: true, note: "stopped before any user was hurt", moments: moments}
		}
		return finding{
			ok: took <= limit, weight: took.Seconds(), moments: moments,
			note: fmt.Sprintf("noticed %s after the first bad request (%s allowed)", format.Duration(took),
				format.Duration(limit)),
		}
	})
}

func (t *trial) gradeWeight(i scenario.RubricItem) grade {
	return t.gradeFaulty(func(r *run) finding {
		moments := []timeline.Moment{r.Timeline.Abort}
		w := r.Timeline.WeightAtAbort
		if r.Verdict != Caught {
			return finding{weight: 1e9, note: "not caught: " + r.Reason, moments: moments}
		}
		return finding{
			ok: float64(w) <= i.Limit, weight: float64(w), moments: moments,
			note: fmt.Sprintf("rolled back at %d %% of the traffic (%g %% allowed)", w, i.Limit),
		}
	})
}

// gradeTested asks the runs that were promoted for the greatest weight that a metric was checked at:
// promotion takes a release from there to all users.
func (t *trial) gradeTested(i scenario.RubricItem) grade {
	return gradeRuns(t.healthy, func(r *run) finding {
		w, moments := r.Timeline.TestedWeight, []timeline.Moment{r.Timeline.Tested, r.Timeline.Promoting}
		if r.Verdict != Promoted {
			return finding{weight: 1e9, note: r.Reason, moments: moments}
		}
		return finding{
			ok: float64(w) >= i.Limit, weight: 100 - float64(w), moments: moments,
			note: fmt.Sprintf("promoted after checks of metrics at up to %d %% of the traffic (%g %% needed)", w,
				i.Limit),
		}
	})
}

// preconditions are the proofs that a rubric can ask for, by name.
func preconditions() map[string]func(*timeline.Timeline) timeline.Moment {
	return map[string]func(*timeline.Timeline) timeline.Moment{
		"mtls": func(t *timeline.Timeline) timeline.Moment {
			return provedAt(t, t.Preconditions.MTLS, event.GateMTLS)
		},
		"policy": func(t *timeline.Timeline) timeline.Moment {
			return provedAt(t, t.Preconditions.Policy, event.GatePolicy)
		},
		"rehearsal": func(t *timeline.Timeline) timeline.Moment {
			return provedAt(t, t.Preconditions.RollbackDrill, event.GateRollbackDrill)
		},
	}
}

// provedAt is where a gate passed before canary traffic. A gate that failed and kept all traffic
// off the canary has done its work too.
func provedAt(t *timeline.Timeline, passed timeline.Moment, gate string) timeline.Moment {
	if passed.Happened() || t.FirstCanary.Happened() {
		return passed
	}
	for _, e := range t.Facts {
		if g, ok := e.Fact.(event.Gate); ok && g.Name == gate && !g.Passed {
			return timeline.Moment{At: e.At, Seq: e.Seq}
		}
	}
	return timeline.Moment{}
}

func (t *trial) gradePreconditions(scenario.RubricItem) grade {
	return gradeRuns(t.learner(), func(r *run) finding {
		return t.checkProofs(r, t.rubric.Preconditions...)
	})
}

func (t *trial) gradeDrill(scenario.RubricItem) grade  { return t.gradeProof("rehearsal") }
func (t *trial) gradeMTLS(scenario.RubricItem) grade   { return t.gradeProof("mtls") }
func (t *trial) gradePolicy(scenario.RubricItem) grade { return t.gradeProof("policy") }

func (t *trial) gradeProof(name string) grade {
	return gradeRuns(t.learner(), func(r *run) finding { return t.checkProofs(r, name) })
}

// provedIn is where a run proved a precondition. Flagger calls its webhooks in order and stops at
// the first that fails, so a run that refused the version does not call the gates after it: then it
// is enough that the same guardrails reached them in another run.
func (t *trial) provedIn(r *run, name string) timeline.Moment {
	of, ok := preconditions()[name]
	if !ok {
		return timeline.Moment{}
	}
	m := of(r.Timeline)
	if m.Happened() || r.Timeline.FirstCanary.Happened() || !r.Timeline.Refusal.Happened() {
		return m
	}
	for _, other := range t.learner() {
		if of(other.Timeline).Happened() {
			return r.Timeline.Refusal
		}
	}
	return timeline.Moment{}
}

func (t *trial) checkProofs(r *run, names ...string) finding {
	var missing []string
	var moments []timeline.Moment
	for _, name := range names {
		m := t.provedIn(r, name)
		if !m.Happened() {
			missing = append(missing, name)
		}
		moments = append(moments, m)
	}
	if len(missing) == 0 {
		return finding{ok: true, note: strings.Join(names, ", ") + " checked before canary traffic", moments: moments}
	}
	note := strings.Join(missing, ", ") + " not checked before canary traffic"
	if slices.Contains(missing, "policy") && r.Timeline.Preconditions.Authorization.Happened() {
		note += " (policy objects are applied, but no gate tried them)"
	}
	return finding{weight: float64(len(missing)), note: note, moments: moments}
}

// preconditions lists what was proved in every one of the learner's runs.
func (t *trial) preconditions() []Precondition {
	var all []Precondition
	for _, name := range slices.Sorted(maps.Keys(preconditions())) {
		g := t.gradeProof(name)
		all = append(all, Precondition{Name: name, Seen: g.of > 0 && g.passed == g.of, Events: g.events})
	}
	return all
}

func (t *trial) gradeCohorts(i scenario.RubricItem) grade {
	runs := t.completeFaulty()
	if len(runs) == 0 {
		return grade{reason: noRuns}
	}
	counted := filter(runs, func(r *run) bool { return r.uncounted == "" })
	if len(counted) == 0 {
		return grade{of: len(runs), reason: runs[0].Name + ": " + runs[0].uncounted}
	}
	g := grade{of: len(runs), passed: len(counted), reason: "no cohort is hurt even without guardrails"}
	worst := -1.0
	for _, c := range t.cohorts(counted) {
		switch {
		case c.Unguarded == nil:
			return grade{of: 1, unmeasured: true,
				reason: "not measured: there is no unguarded run to compare with"}
		case c.HarmRatio != nil && *c.HarmRatio > worst:
			worst = *c.HarmRatio
			g.reason = fmt.Sprintf("%s got %s of its harm without guardrails (%s allowed)", c.Cohort,
				format.Percent(worst), format.Percent(i.Limit))
		}
	}
	if worst > i.Limit {
		g.passed = 0
	}
	for _, r := range t.completeFaulty() {
		g.events = append(g.events, r.eventRefs(r.Timeline.FirstBad, r.Timeline.LastBad)...)
	}
	return g
}

// gradeWaiting counts the time of a wait in which users were hurt: a person may take their time
// while nothing is at stake.
func (t *trial) gradeWaiting(scenario.RubricItem) grade {
	return gradeRuns(t.faulty, func(r *run) finding {
		tl := r.Timeline
		for _, w := range tl.Waits {
			until := w.Until
			if !until.Happened() {
				until = tl.Last
			}
			from, to := max(w.From.At, tl.FirstBad.At), min(until.At, tl.LastBad.At)
			if to <= from {
				continue
			}
			return finding{
				weight: (to - from).Seconds(), moments: []timeline.Moment{w.From, w.Until},
				note: fmt.Sprintf("%s for %s while users were hurt", w.Why, format.Duration(to-from)),
			}
		}
		return finding{ok: true, note: "nothing held the decision while users were hurt"}
	})
}
