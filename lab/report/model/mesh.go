package model

import (
	"fmt"
	"slices"
	"time"

	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
)

// minRetried is the least number of attempts on the canary that were sent again for retries to count
// as an explanation, and maxAlike how many times the primary's share they have to be at least.
const (
	minRetried = 20
	maxAlike   = 2
)

// retriesHid says how many of the canary's attempts clients' proxies sent again: what came of those
// is counted for the workload that answered last, so that checks of users' requests do not show it.
func retriesHid(r Run) []Fact {
	t := r.Timeline
	canary, primary := attempts{}, attempts{}
	for at, second := range t.Seconds() {
		if !t.Released.Happened() || at.At < t.Released.At || t.Promoted.Happened() && at.At > t.Promoted.At {
			continue
		}
		for _, c := range second.Cells {
			switch c.Workload {
			case t.Run.Service:
				canary.add(c.N, c.ProxyRetried)
			case t.Run.Service + "-primary":
				primary.add(c.N, c.ProxyRetried)
			}
		}
	}
	if canary.retried < minRetried || canary.share() < maxAlike*primary.share() {
		return nil
	}
	return []Fact{{Kind: FactRetries, Severity: narrative.Warning, Event: t.FirstCanary.Seq,
		Text: fmt.Sprintf("clients' proxies sent %s of the %s on the canary again, %s (%s on the primary): checks of "+
			"users' requests show the last answer only, whichever version gave it",
			format.Number(canary.retried), format.Plural(canary.n, "attempt"), format.Percent(canary.share()),
			format.Percent(primary.share()))}}
}

// attempts counts what clients' proxies sent to a workload, and what they sent again of it.
type attempts struct{ n, retried int }

func (a *attempts) add(answered, retried int) {
	a.n, a.retried = a.n+answered+retried, a.retried+retried
}

func (a *attempts) share() float64 { return float64(a.retried) / float64(max(1, a.n)) }

// unanswered names the cohorts whose requests reached no pod of the service and were bad, most of them
// first, and when that was.
func unanswered(r Run) []Fact {
	t := r.Timeline
	type gap struct {
		cohort   string
		n        int
		from, to time.Duration
	}
	var gaps []gap
	for at, second := range t.Seconds() {
		if !t.Released.Happened() || at.At < t.Released.At {
			continue
		}
		for _, c := range second.Cells {
			if c.Workload != "" || c.ByMesh+c.Harm == 0 {
				continue
			}
			i := slices.IndexFunc(gaps, func(g gap) bool { return g.cohort == c.Cohort })
			if i < 0 {
				i, gaps = len(gaps), append(gaps, gap{cohort: c.Cohort, from: time.Duration(second.From)})
			}
			gaps[i].n, gaps[i].to = gaps[i].n+c.ByMesh+c.Harm, time.Duration(second.To)
		}
	}
	slices.SortStableFunc(gaps, func(a, b gap) int { return b.n - a.n })
	var facts []Fact
	for _, g := range gaps[:min(len(gaps), maxUsers)] {
		facts = append(facts, Fact{Kind: FactUsers, Severity: narrative.Bad, Harm: g.n,
			Text: fmt.Sprintf("no pod got %s of %s from %s to %s, which clients' proxies answered themselves: the "+
				"success rate of the pods does not contain them", format.Plural(g.n, "request"), g.cohort,
				format.Clock(g.from), format.Clock(g.to))})
	}
	return facts
}
