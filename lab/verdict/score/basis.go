package score

import (
	"fmt"
	"slices"
	"strings"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/timeline"
)

// Basis is what the verdict rests on, if the lab did not play all of the guardrails.
type Basis struct {
	// Metrics and Gates are what judged the released service's canary.
	Metrics []string `json:"metrics"`
	Gates   []string `json:"gates,omitempty"`
	// LeftOut is what the lab did not play.
	LeftOut []LeftOut `json:"left_out,omitempty"`
	// LoadTesters are the webhooks that Flagger's own load tester answered, unseen by the lab.
	LoadTesters []string `json:"load_testers,omitempty"`
	// LoadTests is what load testers sent, over all runs.
	LoadTests *LoadTests `json:"load_tests,omitempty"`
}

// LoadTests counts the requests of load testers, which are not users' and which the metrics of
// canary and primary cover.
type LoadTests struct {
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
	// OnCanary counts those that the canary answered, Users the requests of users that it answered in
	// the same runs before it was decided on.
	OnCanary int `json:"on_canary"`
	Users    int `json:"users_on_canary"`
}

// LeftOut is a part of the guardrails that the lab did not play.
type LeftOut struct {
	// What is one of the LeftOut constants of package event.
	What   string `json:"what"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
	Source string `json:"source,omitempty"`
}

// basis returns nil if everything was played, and seen.
func (t *trial) basis() *Basis {
	b := &Basis{Metrics: []string{}}
	for _, r := range t.learner() {
		b.add(r.Timeline)
	}
	if len(b.LeftOut) == 0 && len(b.LoadTesters) == 0 && b.LoadTests == nil {
		return nil
	}
	return b
}

func (b *Basis) add(t *timeline.Timeline) {
	addOnce := func(list *[]string, name string) {
		if !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	tested := false
	for _, e := range t.Facts {
		switch f := e.Fact.(type) {
		case event.Applied:
			if f.Owner == event.OwnerLearner && f.ObjectKind == "Canary" && f.Name == t.Canary {
				for _, m := range f.Metrics {
					addOnce(&b.Metrics, m)
				}
			}
		case event.Gate:
			if f.Canary == t.Canary && f.Judges() {
				addOnce(&b.Gates, f.Name)
			}
		case event.LoadTest:
			if b.LoadTests == nil {
				b.LoadTests = &LoadTests{}
			}
			tested = true
			b.LoadTests.Requests += f.Requests
			b.LoadTests.Failed += f.Failed
			b.LoadTests.OnCanary += f.OnCanary
		case event.LoadTester:
			if f.Canary == t.Canary {
				addOnce(&b.LoadTesters, f.Webhook)
			}
		case event.LeftOut:
			l := LeftOut{f.What, f.Name, f.Reason, f.Source}
			if (f.Canary == "" || f.Canary == t.Canary) && !slices.Contains(b.LeftOut, l) {
				b.LeftOut = append(b.LeftOut, l)
			}
		}
	}
	if tested {
		b.LoadTests.Users += t.CanaryRequests
	}
}

// Remarks say what was left out, and what the verdict rests on.
func (b *Basis) Remarks() []string {
	if b == nil {
		return nil
	}
	var list []string
	for _, l := range b.LeftOut {
		list = append(list, fmt.Sprintf("Not played: %s %s: %s.", l.What, l.Name, l.Reason))
	}
	if l := b.LoadTests; l != nil {
		list = append(list, fmt.Sprintf("Load tests sent %s requests, which are not counted as users': %s were "+
			"answered by the canary, beside %s of users, and %s failed. Metrics of the canary cover both.",
			format.Number(l.Requests), format.Number(l.OnCanary), format.Number(l.Users), format.Number(l.Failed)))
	}
	if len(b.LoadTesters) > 0 {
		list = append(list, "Flagger's load tester answered "+named("the webhook", "the webhooks", b.LoadTesters)+
			": its answers are not recorded. What it sent is not counted as users' requests; metrics of the canary "+
			"cover both.")
	}
	return append(list, "The verdict rests on "+b.text()+".")
}

func (b *Basis) text() string {
	var parts []string
	if len(b.Metrics) > 0 {
		parts = append(parts, named("the metric", "the metrics", b.Metrics))
	}
	if len(b.Gates) > 0 {
		parts = append(parts, named("the gate", "the gates", b.Gates))
	}
	if len(b.LoadTesters) > 0 {
		parts = append(parts, "what the load tester answered to "+named("", "", b.LoadTesters))
	}
	if len(parts) == 0 {
		return "no metric and no gate"
	}
	return strings.Join(parts, ", and on ")
}

// named lists names after one of two words, for one name or several.
func named(one, many string, names []string) string {
	last := len(names) - 1
	if last == 0 {
		return strings.TrimSpace(one + " " + names[0])
	}
	return strings.TrimSpace(many + " " + strings.Join(names[:last], ", ") + " and " + names[last])
}
