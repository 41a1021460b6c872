package model

import (
	"fmt"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/timeline"
)

// loadGaps explains checks without values of a canary that only load tests called: before they had
// sent anything, between two of them, or because they called the primary.
func loadGaps(r Run) []Fact {
	t := r.Timeline
	valueless := valuelessChecks(t)
	if len(valueless) == 0 {
		return nil
	}
	var tests []event.LoadTest
	onCanary := 0
	for _, e := range t.Facts {
		if f, ok := e.Fact.(event.LoadTest); ok && (t.Canary == "" || f.Canary == t.Canary) {
			tests = append(tests, f)
			onCanary += f.OnCanary
		}
	}
	if len(tests) == 0 {
		return nil
	}
	fact := Fact{Kind: FactMetric, Severity: narrative.Warning, Event: valueless[0].Seq}
	if onCanary == 0 {
		service := t.Run.Service
		fact.Text = fmt.Sprintf("the canary got none of the %s that load tests sent to %s: the route sends them to "+
			"the primary until the canary has a share; call %s-canary, or send what analysis.match asks for",
			format.Plural(tests[0].Requests, "request"), tests[0].Service, service)
		return []Fact{fact}
	}
	var times []string
	for _, m := range valueless {
		times = append(times, format.Clock(m.At))
	}
	fact.Text = fmt.Sprintf("only load tests called the canary, and at %s none had run for long enough to have "+
		"values: a check starts one and asks at once, and while one runs the next is not started. Start it in a "+
		"pre-rollout webhook, let it run for longer than the analysis takes, or raise the threshold",
		strings.Join(times, ", "))
	return []Fact{fact}
}

// valuelessChecks returns the first checks of each tick without a value before a user's request
// reached the canary.
func valuelessChecks(t *timeline.Timeline) []timeline.Moment {
	const most = 4
	var list []timeline.Moment
	for _, e := range t.Facts {
		q, ok := e.Fact.(event.Query)
		at := timeline.Moment{At: e.At, Seq: e.Seq}
		if !ok || q.Asker != t.Canary || q.Value != nil || q.Error != "" || len(list) == most ||
			!t.Released.Happened() || e.Seq < t.Released.Seq || t.FirstCanary.Happened() && e.Seq > t.FirstCanary.Seq {
			continue
		}
		if n := len(list); n == 0 || at.At-list[n-1].At > time.Second {
			list = append(list, at)
		}
	}
	return list
}
