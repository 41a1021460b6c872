package model

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// Explanation says, for one run, who was hurt and which checks let it happen, or what detected it.
// It is the same in every view.
type Explanation struct {
	Title string `json:"title"`
	Run   string `json:"run"`
	Facts []Fact `json:"facts"`
}

// Kinds of facts of an explanation.
const (
	FactUsers      = "users"      // who was hurt
	FactGuardrails = "guardrails" // harm that the guardrails caused
	FactMetric     = "metric"
	FactGate       = "gate"
	FactThreshold  = "threshold" // how many checks may fail
	FactWait       = "wait"      // something held the rollout
	FactRetries    = "retries"   // clients' proxies sent the canary's attempts again
)

// Fact is one paragraph of an explanation.
type Fact struct {
	// Kind is one of the Fact constants, Name that of the metric or the gate.
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	Text string `json:"text"`
	// Harm is how many bad requests the fact explains: those of the users, or those that happened
	// until a check passed for the last time.
	Harm int `json:"harm,omitempty"`
	// Event is the event that it rests on, 0 for none.
	Event    int                `json:"event,omitempty"`
	Severity narrative.Severity `json:"-"`
	// blind is set for a check that passed while users were hurt.
	blind bool
}

// Sign is the symbol of a fact.
func (f Fact) Sign() string {
	switch {
	case f.blind:
		return "○"
	case f.Kind == FactUsers || f.Kind == FactGuardrails:
		return "▲"
	case f.Severity == narrative.Good:
		return "◆"
	case f.Severity == narrative.Bad:
		return "✗"
	case f.Severity == narrative.Warning:
		return "○"
	}
	return "·"
}

// Explanation explains the run that shows most. It has no facts if there is nothing to explain.
func (t *Trial) Explanation() Explanation {
	r, ok := t.Highlight()
	if !ok {
		return Explanation{}
	}
	return Explain(r)
}

// Explain explains a run: why it was missed or held, most harm first, or what detected it.
func Explain(r Run) Explanation {
	e := Explanation{Run: r.Row.Run}
	switch v := r.Row.Verdict; {
	case v == score.Inconclusive, !r.Faulty() && v.Good():
		return Explanation{}
	case r.Faulty() && v.Good():
		e.Title, e.Facts = "What detected it", detected(r)
	case r.Faulty():
		e.Title, e.Facts = "Why it was missed", whyMissed(r)
	case v == score.HurtUsers:
		e.Title, e.Facts = "Why users were hurt", slices.Concat(guardrailHarm(r), unanswered(r))
	case v == score.Unmeasured:
		e.Title, e.Facts = "Why the delivery does not count", whyUnmeasured(r)
	default:
		e.Title, e.Facts = "Why the healthy release was held", whyHeld(r)
	}
	if len(e.Facts) == 0 {
		return Explanation{}
	}
	return e
}

func whyMissed(r Run) []Fact {
	facts := slices.Concat(hurtUsers(r), unanswered(r), afterPromotion(r), guardrailHarm(r))
	slices.SortStableFunc(facts, moreHarm)
	checks := checkFacts(r)
	if len(checks) == 0 && r.Timeline.FirstBad.Happened() {
		checks = []Fact{{Kind: FactMetric, Severity: narrative.Warning,
			Text: "no check looked at the canary while users were hurt"}}
	}
	return slices.Concat(facts, retriesHid(r), checks, loadGaps(r), threshold(r), waits(r))
}

func whyHeld(r Run) []Fact {
	facts := guardrailHarm(r)
	for _, w := range Checks(r) {
		if w.Failed > 0 {
			facts = append(facts, checkFact(w, r, narrative.Bad))
		}
	}
	return slices.Concat(facts, loadGaps(r), neverAsked(r), waits(r))
}

func whyUnmeasured(r Run) []Fact {
	facts := []Fact{{Kind: FactUsers, Severity: narrative.Warning, Text: r.Row.Reason}}
	for _, w := range Checks(r) {
		facts = append(facts, checkFact(w, r, narrative.Info))
	}
	return append(facts, neverAsked(r)...)
}

func detected(r Run) []Fact {
	var facts []Fact
	for _, w := range Checks(r) {
		if w.Noticed() {
			facts = append(facts, checkFact(w, r, narrative.Good))
		}
	}
	slices.SortStableFunc(facts, func(a, b Fact) int { return cmp.Compare(a.Event, b.Event) })
	return facts
}

func moreHarm(a, b Fact) int { return cmp.Compare(b.Harm, a.Harm) }

// maxUsers is how many groups of users are named.
const maxUsers = 3

// hurtUsers describes the users whom the release hurt, most harm first.
func hurtUsers(r Run) []Fact {
	average, all := Segments(r)
	if !r.Timeline.FirstBad.Happened() {
		return nil
	}
	all = slices.DeleteFunc(slices.Clone(all), func(s Segment) bool { return s.Canary.Harm == 0 })
	slices.SortStableFunc(all, func(a, b Segment) int { return cmp.Compare(b.Canary.Harm, a.Canary.Harm) })
	var facts []Fact
	for _, s := range all[:min(len(all), maxUsers)] {
		facts = append(facts, Fact{Kind: FactUsers, Severity: narrative.Bad, Event: r.Timeline.FirstBad.Seq,
			Harm: s.Canary.Harm, Text: segmentText(s, average)})
	}
	return facts
}

// afterPromotion describes the harm after the decision to promote.
func afterPromotion(r Run) []Fact {
	t := r.Timeline
	if !t.Promoting.Happened() {
		return nil
	}
	n := t.Sum(nil).Harm - harmUntil(t, t.Promoting.At)
	if n == 0 {
		return nil
	}
	return []Fact{{Kind: FactUsers, Severity: narrative.Bad, Harm: n, Event: t.Promoting.Seq,
		Text: fmt.Sprintf("%s bad after the decision to promote, when no check looks any more", wereBad(n))}}
}

func wereBad(n int) string {
	if n == 1 {
		return "1 request was"
	}
	return format.Number(n) + " requests were"
}

func segmentText(s, average Segment) string {
	bad := func(c timeline.Counts) string { return format.Percent(float64(c.Bad) / float64(max(1, c.N))) }
	text := fmt.Sprintf("%s on %s: %s of their %s on the canary were bad", s.Cohort, s.Route, bad(s.Canary),
		format.Plural(s.Canary.N, "request"))
	if s.Primary.N > 0 {
		text += ", " + bad(s.Primary) + " on the primary"
	}
	text += "."
	if s.Canary.N < average.Canary.N {
		text += fmt.Sprintf(" They make up %s of the canary's requests, which were %s good overall.",
			format.Percent(float64(s.Canary.N)/float64(average.Canary.N)), SuccessText(average.Canary))
	}
	return text
}

// guardrailHarm describes the harm that the guardrails caused themselves.
func guardrailHarm(r Run) []Fact {
	n := r.Row.ByGuardrails
	if n == 0 {
		return nil
	}
	text := fmt.Sprintf("your guardrails made %s bad by themselves", format.Plural(n, "request"))
	if late := min(n, r.Timeline.Unanswered()); 2*late >= n {
		text += fmt.Sprintf(": %s of them met a canary that the clients' proxies did not know yet. "+
			"For up to a minute after it is ready they answer 504, then 503. Let the gate "+
			"/rollback-drill rehearse before the rollout, or wait until the proxies know the canary",
			format.Number(late))
	} else {
		text += ": look at routes, policies and hosts"
	}
	return []Fact{{Kind: FactGuardrails, Severity: narrative.Bad, Harm: n, Text: text}}
}

// checkFacts describes the checks, those that let most harm through first, those that noticed last.
func checkFacts(r Run) []Fact {
	var blind, noticed []Fact
	for _, w := range Checks(r) {
		switch {
		case w.Noticed() && !w.Valueless():
			noticed = append(noticed, checkFact(w, r, narrative.Good))
		case w.Gate && w.Failed > 0, w.Valueless():
			blind = append(blind, checkFact(w, r, narrative.Warning))
		case w.Gate && w.Blind():
			blind = append(blind, checkFact(w, r, narrative.Info))
		case w.Blind():
			f := checkFact(w, r, narrative.Bad)
			f.blind = true
			blind = append(blind, f)
		case !w.Gate && r.Timeline.FirstBad.Happened() && w.Hurting == 0:
			f := checkFact(w, r, narrative.Warning)
			f.Text = fmt.Sprintf("was last asked at %s, before any user was hurt", format.Clock(w.Last.At))
			f.Harm = harmUntil(r.Timeline, r.Timeline.Last.At)
			blind = append(blind, f)
		}
	}
	blind = append(blind, neverAsked(r)...)
	slices.SortStableFunc(blind, moreHarm)
	return append(blind, noticed...)
}

// checkFact describes one check.
func checkFact(w Check, r Run, severity narrative.Severity) Fact {
	f := Fact{Kind: FactMetric, Name: w.Name, Severity: severity, Text: w.Text(r.Timeline), Event: w.First.Seq}
	if w.Gate {
		f.Kind = FactGate
	}
	if f.Event == 0 {
		f.Event = cmp.Or(w.ClosestAt.Seq, w.Last.Seq)
	}
	if w.LastMissed.Happened() {
		f.Harm = harmUntil(r.Timeline, w.LastMissed.At)
	}
	return f
}

// harmUntil counts the requests that the fault made bad up to a time.
func harmUntil(t *timeline.Timeline, until time.Duration) int {
	n := 0
	for _, f := range t.Seconds() {
		if time.Duration(f.To) > until {
			continue
		}
		for _, c := range f.Cells {
			n += c.Harm
		}
	}
	return n
}

// neverAsked names the metrics of the Canary that Flagger never queried, and why.
func neverAsked(r Run) []Fact {
	t := r.Timeline
	checks := Checks(r)
	var facts []Fact
	for _, name := range declared(t) {
		if slices.ContainsFunc(checks, func(w Check) bool { return !w.Gate && w.Name == name }) {
			continue
		}
		facts = append(facts, Fact{Kind: FactMetric, Name: name, Severity: narrative.Warning,
			Text: "was never asked" + whyNever(t, checks), Harm: harmUntil(t, t.Last.At)})
	}
	return facts
}

// whyNever is why Flagger came to no query of a metric: it calls the gates first, and stops at the
// first check that fails (flagger, pkg/controller/scheduler.go, runAnalysis).
func whyNever(t *timeline.Timeline, checks []Check) string {
	if !t.Released.Happened() {
		return ": nothing was released"
	}
	for _, gates := range []bool{true, false} {
		for _, w := range checks {
			switch {
			case w.Gate != gates || w.Failed == 0:
			case w.Gate:
				return ": gate " + w.Name + " said no first, " + timesOf(w.Failed, w.Asked)
			default:
				return ": Flagger stops at the first check that fails, and " + w.Name + " failed " +
					timesOf(w.Failed, w.Asked)
			}
		}
	}
	if len(checks) == 0 {
		return ": no check was made"
	}
	return ""
}

// declared lists the metrics of the released service's Canary.
func declared(t *timeline.Timeline) []string {
	for _, e := range t.Facts {
		if a, ok := e.Fact.(event.Applied); ok && a.ObjectKind == "Canary" && a.Name == t.Canary {
			return a.Metrics
		}
	}
	return nil
}

// threshold says how many checks failed if they were too few for a rollback.
func threshold(r Run) []Fact {
	t := r.Timeline
	failed, needed := 0, 0
	at := timeline.Moment{}
	for _, c := range t.Changes {
		if c.Failed() && t.Released.Happened() && c.Seq > t.Released.Seq {
			failed, needed, at = max(failed, c.After.FailedChecks), c.After.Threshold, c.Moment
		}
	}
	if failed == 0 || failed >= needed || t.Abort.Happened() {
		return nil
	}
	return []Fact{{Kind: FactThreshold, Severity: narrative.Warning, Event: at.Seq,
		Text: fmt.Sprintf("%s failed in all; it takes %d to roll back", format.Plural(failed, "check"), needed)}}
}

// waits describes what held the rollout for a person.
func waits(r Run) []Fact {
	var facts []Fact
	for _, w := range r.Timeline.Waits {
		until := "to the end"
		if w.Until.Happened() {
			until = "to " + format.Clock(w.Until.At)
		}
		facts = append(facts, Fact{Kind: FactWait, Severity: narrative.Warning, Event: w.From.Seq,
			Text: fmt.Sprintf("%s, from %s %s", w.Why, format.Clock(w.From.At), until)})
	}
	return facts
}

// Line is a fact as text: the name of the metric or the gate, and what it did.
func (f Fact) Line() string {
	switch f.Kind {
	case FactMetric:
		if f.Name != "" {
			return f.Name + " " + f.Text
		}
	case FactGate:
		return "gate " + f.Name + " " + f.Text
	}
	return f.Text
}
