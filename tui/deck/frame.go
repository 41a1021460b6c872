package deck

import (
	"slices"
	"sort"
	"time"

	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/series"
	"coalmine/tui/liverun"
	"coalmine/tui/pane"
	"coalmine/tui/recording"
)

// frame is everything that is drawn at one moment.
type frame struct {
	run        *liverun.Run
	rec        *recording.Recording
	at, end    time.Duration
	state      recording.State
	narrative  []narrative.Entry // so far
	markers    []series.Marker
	comparison *pane.Comparison
	// unguarded is the run of the same seed without guardrails, nil if there is none to compare
	// with.
	unguarded *recording.Recording
}

// frame returns the current moment, or nil without a recording.
func (d *Deck) frame() *frame {
	rec := d.rec()
	if rec == nil {
		return nil
	}
	f := &frame{run: d.trial.Runs[d.run], rec: rec, at: d.clock.at, end: rec.End()}
	f.state = rec.At(f.at)
	all := rec.Narrative()
	f.narrative = all[:sort.Search(len(all), func(i int) bool { return all[i].Seq > f.state.Last.Seq })]
	f.markers = rec.Markers()
	f.compare(d.trial)
	return f
}

// compare adds the unguarded run of the same seed, at the same time since its release.
func (f *frame) compare(t *liverun.Trial) {
	if f.run.Role != score.RoleFaulty && f.run.Role != score.RoleReference {
		return
	}
	o := t.Counterpart(f.run, score.RoleUnguarded)
	if o == nil || o.Rec == nil || !o.Rec.Complete() {
		return
	}
	f.unguarded = o.Rec
	f.comparison = &pane.Comparison{End: o.Rec.At(o.Rec.End())}
	if released := f.rec.Timeline().Released; released.Happened() {
		f.comparison.Now = o.Rec.At(f.at - released.At + o.Rec.Timeline().Released.At)
	}
}

// keyMoments returns the sorted times of the entries at which the clock stops.
func (d *Deck) keyMoments() []time.Duration {
	r := d.rec()
	if r == nil {
		return nil
	}
	var at []time.Duration
	for _, e := range r.Narrative() {
		if isKeyMoment(e) {
			at = append(at, e.At)
		}
	}
	return slices.Compact(at)
}

// isKeyMoment reports whether the clock stops at an entry.
func isKeyMoment(e narrative.Entry) bool {
	return e.Kind.Decision() || e.Kind == narrative.Release || e.Kind == narrative.Harm ||
		e.Kind == narrative.Detection || e.Kind == narrative.Drill
}

// visibleEntries leaves out details; in a small layout it keeps decisions, harm, gates and
// milestones only.
func visibleEntries(all []narrative.Entry, little bool) []narrative.Entry {
	kept := make([]narrative.Entry, 0, len(all))
	for _, e := range all {
		frame := (e.Kind == narrative.Lifecycle || e.Kind == narrative.Status) && e.Severity == narrative.Detail
		if !frame && (!little || isKeyMoment(e) || e.Kind == narrative.Gate || e.Kind == narrative.Lifecycle) {
			kept = append(kept, e)
		}
	}
	return kept
}

// cohorts and routes return what can be selected; "" is all.
func (d *Deck) cohorts() []string { return d.names((*recording.Recording).Cohorts) }
func (d *Deck) routes() []string  { return d.names((*recording.Recording).Routes) }

func (d *Deck) names(of func(*recording.Recording) []string) []string {
	all := []string{""}
	if r := d.rec(); r != nil {
		all = append(all, of(r)...)
	}
	return all
}

func timeAt(x, width int, end time.Duration) (time.Duration, bool) { return pane.TimeAt(x, width, end) }
