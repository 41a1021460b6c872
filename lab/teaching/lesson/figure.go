package lesson

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/run/result"
	"coalmine/lab/verdict/pager"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// ref is where a figure comes from, as in hook:now/faulty.harm(merchants).
type ref struct {
	// play is PLAY, or LESSON:PLAY.
	play, role, figure, arg string
}

var refPattern = regexp.MustCompile(`^((?:[a-z0-9-]+:)?[a-z0-9-]+)(?:/([a-z]+))?\.([a-z-]+)(?:\(([^()]+)\))?$`)

func parseRef(text string) (ref, error) {
	m := refPattern.FindStringSubmatch(text)
	if m == nil {
		return ref{}, fmt.Errorf("%q is not PLAY.FIGURE, PLAY/ROLE.FIGURE or PLAY.FIGURE(WHAT)", text)
	}
	if _, ok := figures()[m[3]]; !ok {
		return ref{}, fmt.Errorf("%s: there is no figure %q: write one of %s", text, m[3],
			strings.Join(slices.Sorted(maps.Keys(figures())), ", "))
	}
	return ref{m[1], m[2], m[3], m[4]}, nil
}

// Value is what a figure comes to. Number is in percent, or in seconds for a duration.
type Value struct {
	Kind   string
	Number float64
	Text   string
}

// String returns the value for people.
func (v Value) String() string {
	switch v.Kind {
	case kindNumber:
		return format.Number(int(v.Number))
	case kindPoints:
		return fmt.Sprintf("%+.1f points", v.Number)
	case kindPercent:
		return format.Percent(v.Number / 100)
	case kindDuration:
		return format.Duration(event.Seconds(v.Number * float64(time.Second)))
	}
	return v.Text
}

func text(s string) Value               { return Value{Kind: kindText, Text: s} }
func number[N int | float64](n N) Value { return Value{Kind: kindNumber, Number: float64(n)} }
func percent(share float64) Value       { return Value{Kind: kindPercent, Number: 100 * share} }
func seconds[D ~int64](d D) Value {
	return Value{Kind: kindDuration, Number: time.Duration(d).Seconds()}
}
func optional(d *event.Seconds) Value {
	if d == nil {
		return text(never)
	}
	return seconds(*d)
}

// Kinds of values. A difference of two percentages is in points.
const (
	kindText     = "text"
	kindNumber   = "number"
	kindPercent  = "percent"
	kindDuration = "duration"
	kindPoints   = "points"
)

// never is the value of a time that never came, none that of a count without a base.
const (
	never = "never"
	none  = "none"
)

// recorded is a run with the trial that it is part of.
type recorded struct {
	rec  *result.Recording
	card score.Card
	role score.Role
	time *timeline.Timeline
	row  score.Row
	arg  string
}

// figure computes one value of a run.
type figure func(r *recorded) Value

// figures are all figures by name.
func figures() map[string]figure {
	all := map[string]figure{
		"outcome":   func(r *recorded) Value { return text(r.card.Outcome) },
		"reason":    func(r *recorded) Value { return text(r.card.Reason) },
		"own":       func(r *recorded) Value { return text(cmp.Or(r.card.Own, none)) },
		"points":    func(r *recorded) Value { return number(r.card.Points) },
		"verdict":   func(r *recorded) Value { return text(r.row.Verdict.Text()) },
		"why":       func(r *recorded) Value { return text(r.row.Reason) },
		"harm":      harm,
		"hurt":      func(r *recorded) Value { return number(usersHurt(r.time)) },
		"worst":     worstCohort,
		"weight":    weightAtAbort,
		"exposure":  exposure,
		"first-bad": since(func(t *timeline.Timeline) timeline.Moment { return t.FirstBad }),
		"abort":     since(func(t *timeline.Timeline) timeline.Moment { return t.Abort }),
		"promoted":  since(func(t *timeline.Timeline) timeline.Moment { return t.Promoted }),
		"mttd":      func(r *recorded) Value { return optional(r.row.MTTD) },
		"mttr":      func(r *recorded) Value { return optional(r.row.MTTR) },
		"checks":    func(r *recorded) Value { return number(r.time.MeasuredTicks) },
		"failed":    func(r *recorded) Value { return number(failedChecks(r.time)) },
		"empty":     emptyMetric,
		"phase":     phase,
		"holds":     holds,
		"gate":      gate,
		"says":      gateSays,
		"requests":  func(r *recorded) Value { return number(r.cohort(nil).N) },
		"bad":       badShare,
		"on-canary": onCanary,
		"canary":    func(r *recorded) Value { return number(r.time.CanaryRequests) },
		"share":     func(r *recorded) Value { return percent(r.time.ActualShare()) },
		"runs":      func(r *recorded) Value { return number(len(r.card.Runs)) },
		"verdicts":  verdicts,
		"left":      routeLeft,
		"denied":    func(r *recorded) Value { return number(r.cohort(nil).Denied) },
		"unserved":  func(r *recorded) Value { return number(unserved(r)) },
	}
	maps.Copy(all, pagerFigures())
	maps.Copy(all, armFigures())
	return all
}

// pagerFigures are the figures of the model of how late a person is.
func pagerFigures() map[string]figure {
	of := func(get func(pager.Manual) Value) figure {
		return func(r *recorded) Value {
			m := pager.Default().Manual(r.time)
			if !m.Paged {
				return text(never)
			}
			return get(m)
		}
	}
	return map[string]figure{
		"page-after":  of(func(m pager.Manual) Value { return seconds(m.Detect) }),
		"manual-mttr": of(func(m pager.Manual) Value { return seconds(m.Total) }),
		"manual-harm": of(func(m pager.Manual) Value { return number(math.Round(m.Harm/100) * 100) }),
		"people":      func(*recorded) Value { return seconds(pager.Default().People()) },
	}
}

// lookup computes a figure of a recording.
func lookup(rec *result.Recording, f ref) (Value, error) {
	r := &recorded{rec: rec, card: rec.Card(), arg: f.arg}
	for _, l := range rec.Logs {
		if l.Timeline != nil && (f.role == "" || l.Run.Role == f.role) {
			r.role, r.time = score.Role(l.Run.Role), l.Timeline
			r.row = rowOf(&r.card, l)
			return figures()[f.figure](r), nil
		}
	}
	return Value{}, fmt.Errorf("%s.%s: the folder has no run of role %q", f.play, f.figure, f.role)
}

// rowOf is the card's row of a run. Runs that others are compared with have none, and get one that
// says what their own log does.
func rowOf(c *score.Card, l result.Log) score.Row {
	for _, row := range c.Runs {
		if row.Role == l.Run.Role && row.Seed == l.Run.Seed {
			return row
		}
	}
	sum := l.Timeline.Sum(nil)
	return score.Row{Harm: sum.Harm + sum.ByMesh}
}

func harm(r *recorded) Value {
	if r.arg == "" {
		return number(r.row.Harm)
	}
	c := r.cohort(nil)
	return number(c.Harm + c.ByMesh)
}

// cohort adds up the counts of the cohort that the figure names, or of all.
func (r *recorded) cohort(keep func(timeline.Key) bool) timeline.Counts {
	if r.arg == "" {
		return r.time.Sum(keep)
	}
	return r.time.Sum(timeline.AllOf(keep, timeline.InCohort(r.arg)))
}

func usersHurt(t *timeline.Timeline) int {
	n := 0
	if t.Totals != nil {
		for _, hurt := range t.Totals.Hurt {
			n += hurt
		}
	}
	return n
}

// worstCohort is the cohort that lost the greatest share of its requests to the fault.
func worstCohort(r *recorded) Value {
	worst, most := none, 0.0
	for _, name := range r.time.Cohorts() {
		c := r.time.Sum(timeline.InCohort(name))
		if share := float64(c.Harm+c.ByMesh) / float64(max(1, c.N)); share > most {
			worst, most = name, share
		}
	}
	return text(worst)
}

// weightAtAbort is the canary's share of the traffic when it was rolled back.
func weightAtAbort(r *recorded) Value {
	if !r.time.Abort.Happened() {
		return text(never)
	}
	return percent(float64(r.time.WeightAtAbort) / 100)
}

// exposure is the greatest share of the traffic that the canary had before the decision.
func exposure(r *recorded) Value {
	most := 0
	for i, s := range r.time.Steps {
		if !r.time.Promoted.Happened() || s.Seq < r.time.Promoted.Seq {
			most = max(most, r.time.Exposure(i))
		}
	}
	return percent(float64(most) / 100)
}

func since(of func(*timeline.Timeline) timeline.Moment) figure {
	return func(r *recorded) Value {
		m := of(r.time)
		if !m.Happened() {
			return text(never)
		}
		return seconds(m.Since(r.time.Released))
	}
}

func failedChecks(t *timeline.Timeline) int {
	n := 0
	for _, c := range t.Changes {
		n = max(n, c.After.FailedChecks)
	}
	return n
}

// emptyMetric counts how often a metric was asked after the release and had no value.
func emptyMetric(r *recorded) Value {
	n := 0
	for _, e := range r.time.Facts {
		if q, ok := e.Fact.(event.Query); ok && e.Seq > r.time.Released.Seq && q.Value == nil &&
			q.Asker == r.time.Canary && (r.arg == "" || timeline.MetricName(q) == r.arg) {
			n++
		}
	}
	return number(n)
}

func phase(r *recorded) Value {
	if n := len(r.time.Changes); n > 0 {
		return text(r.time.Changes[n-1].After.Phase)
	}
	return text(none)
}

// gates lists the answers of the gate that the figure names, or of all, after the release.
func (r *recorded) gates() []event.Gate {
	var all []event.Gate
	for _, e := range r.time.Facts {
		if g, ok := e.Fact.(event.Gate); ok && e.Seq > r.time.Released.Seq && (r.arg == "" || g.Name == r.arg) {
			all = append(all, g)
		}
	}
	return all
}

// gate says what came of a gate: the last answer counts.
func gate(r *recorded) Value {
	all := r.gates()
	switch {
	case len(all) == 0:
		return text("not asked")
	case all[len(all)-1].Passed:
		return text("passed")
	}
	return text("refused")
}

func gateSays(r *recorded) Value {
	all := r.gates()
	if len(all) == 0 {
		return text("not asked")
	}
	return text(format.Clean(all[len(all)-1].Reason))
}

// holds names the gate that refused last.
func holds(r *recorded) Value {
	all := r.gates()
	for _, g := range slices.Backward(all) {
		if !g.Passed {
			return text("gate " + g.Name)
		}
	}
	return text(none)
}

// badShare is the share of bad requests of a cohort from the release on.
func badShare(r *recorded) Value {
	n, bad := 0, 0
	for _, k := range r.time.Keys() {
		if r.arg != "" && k.Cohort != r.arg {
			continue
		}
		all, before := r.time.Count(k), r.time.CountBefore(k)
		n += all.N - before.N
		bad += all.Bad - before.Bad
	}
	return percent(float64(bad) / float64(max(1, n)))
}

// onCanary is the share of a cohort's requests that the canary answered, well inside the steps of the
// analysis.
func onCanary(r *recorded) Value {
	keep := func(timeline.Key) bool { return true }
	if r.arg != "" {
		keep = timeline.InCohort(r.arg)
	}
	n := r.time.SumSteady(keep).N
	on := r.time.SumSteady(timeline.AllOf(keep, r.time.OnCanary())).N
	return percent(float64(on) / float64(max(1, n)))
}

// verdicts counts the runs with a verdict.
func verdicts(r *recorded) Value {
	n := 0
	for _, row := range r.card.Runs {
		if string(row.Verdict) == r.arg {
			n++
		}
	}
	return number(n)
}

// routeLeft says whether a rule with conditions still sends somebody to the canary at the end.
func routeLeft(r *recorded) Value {
	if n := len(r.time.Routes); n > 0 && r.time.Routes[n-1].Matched {
		return text("yes")
	}
	return text("no")
}

// unserved counts requests that no pod of the service answered.
func unserved(r *recorded) int {
	return r.cohort(func(k timeline.Key) bool { return k.Workload == "" }).N
}

// figurePattern finds the figures of a text.
var figurePattern = regexp.MustCompile(`\{\{fig\s+"([^"]+)"\}\}`)

func inText(s string) []string {
	var refs []string
	for _, m := range figurePattern.FindAllStringSubmatch(s, -1) {
		refs = append(refs, m[1])
	}
	return refs
}

// fill puts figures into a text.
func fill(s string, value func(ref string) (Value, error)) (string, error) {
	t, err := template.New("").Funcs(template.FuncMap{
		"fig": func(ref string) (string, error) {
			v, err := value(ref)
			return v.String(), err
		},
	}).Parse(s)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, nil); err != nil {
		return "", err
	}
	return cmp.Or(b.String(), s), nil
}
