package deck

import (
	"slices"
	"sort"
	"time"

	"coalmine/lab/score"
	"coalmine/lab/timeline/series"
	"coalmine/lab/timeline/story"
	"coalmine/tui/pane"
	"coalmine/tui/recording"
	"coalmine/tui/watch"
)

// frame is everything that one picture of the deck is made of.
type frame struct {
	run     *watch.Run
	rec     *recording.Recording
	at, end time.Duration
	state   recording.State
	story   []story.Entry // so far
	markers []series.Marker
	none    *pane.Comparison
	// unguarded is the run of the same seed without guardrail, nil when there is none to compare with.
	unguarded *recording.Recording
}

// frame looks up the present moment; nil without a recording.
func (d *Deck) frame() *frame {
	rec := d.rec()
	if rec == nil {
		return nil
	}
	f := &frame{run: d.trial.Runs[d.run], rec: rec, at: d.clock.at, end: rec.End()}
	f.state = rec.At(f.at)
	all := rec.Story()
	f.story = all[:sort.Search(len(all), func(i int) bool { return all[i].Seq > f.state.Last.Seq })]
	f.markers = rec.Markers()
	f.compare(d.trial)
	return f
}

// compare finds the run of the same seed without guardrail, and where it was at the same time since its release.
func (f *frame) compare(t *watch.Trial) {
	if f.run.Part != score.PartFaulty && f.run.Part != score.PartReference {
		return
	}
	o := t.Counterpart(f.run, score.PartUnguarded)
	if o == nil || o.Rec == nil || !o.Rec.Whole() {
		return
	}
	f.unguarded = o.Rec
	f.none = &pane.Comparison{End: o.Rec.At(o.Rec.End())}
	if released := f.rec.Timeline().Released; released.Seen() {
		f.none.Now = o.Rec.At(f.at - released.At + o.Rec.Timeline().Released.At)
	}
}

// stops are the times of what one must not miss, in order.
func (d *Deck) stops() []time.Duration {
	r := d.rec()
	if r == nil {
		return nil
	}
	var at []time.Duration
	for _, e := range r.Story() {
		if worth(e) {
			at = append(at, e.At)
		}
	}
	return slices.Compact(at)
}

// worth tells whether an entry is worth a stop.
func worth(e story.Entry) bool {
	return e.Kind.Decision() || e.Kind == story.Release || e.Kind == story.Harm || e.Kind == story.Notice || e.Kind == story.Drill
}

// spoken leaves out of a story what only those who look closely want to know, and where there is little room, all but what
// was decided and whom it hurt.
func spoken(all []story.Entry, little bool) []story.Entry {
	kept := make([]story.Entry, 0, len(all))
	for _, e := range all {
		frame := (e.Kind == story.Frame || e.Kind == story.Status) && e.Tone == story.Faint
		if !frame && (!little || worth(e) || e.Kind == story.Gate || e.Kind == story.Frame) {
			kept = append(kept, e)
		}
	}
	return kept
}

// cohorts and routes are what can be selected; "" is all.
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
