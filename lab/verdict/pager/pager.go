// Package pager is a model of how late a person is: from the first bad request to a page, and to the
// rollback that the person types.
package pager

import (
	"math"
	"time"

	"coalmine/lab/verdict/timeline"
)

// Pager is how a person comes to know of an incident and ends it. The times of people are the model's
// and not the run's: they are written down here so that they can be disputed.
type Pager struct {
	// Objective is the share of good requests that the service promises over 30 days.
	Objective float64
	// Rules are the alerts, of which the first page counts.
	Rules []BurnRule
	// Notify is Alertmanager's group_wait, 30 s by default (its configuration reference).
	Notify time.Duration
	// Acknowledge is the response time that the SRE book names for user-facing services: five minutes
	// (chapter 11, Being On-Call).
	Acknowledge time.Duration
	// Diagnose is an assumption: to open the dashboards, suspect the release, and be sure enough.
	Diagnose time.Duration
	// Act is an assumption: to find and type the rollback, and for pods to become ready.
	Act time.Duration
}

// BurnRule pages when the error budget is burnt Factor times too fast over both of its windows; the
// longer one decides how late it is.
type BurnRule struct {
	Factor float64
	Window time.Duration
}

// Default has the alerts of the course's page on objectives: 14.4 times over 5 min and 1 h, 6 times
// over 30 min and 1 h, for 99.5 % good requests.
func Default() Pager {
	return Pager{
		Objective: 0.995,
		Rules:     []BurnRule{{14.4, time.Hour}, {6, time.Hour}},
		Notify:    30 * time.Second, Acknowledge: 5 * time.Minute, Diagnose: 10 * time.Minute, Act: 2 * time.Minute,
	}
}

// Detect is how long it takes from the first bad request to the page, if from then on a share of the
// requests is bad and none was before: (1 − objective) / share × factor × window (SRE workbook,
// chapter 5, Alerting on SLOs). ok is false if no rule ever fires.
func (p Pager) Detect(bad float64) (d time.Duration, ok bool) {
	best := math.Inf(1)
	for _, r := range p.Rules {
		limit := (1 - p.Objective) * r.Factor
		if bad >= limit {
			best = min(best, limit/bad*float64(r.Window))
		}
	}
	return time.Duration(min(best, float64(math.MaxInt64/2))), !math.IsInf(best, 1)
}

// People is the time from the page to the end of the harm.
func (p Pager) People() time.Duration { return p.Notify + p.Acknowledge + p.Diagnose + p.Act }

// Total is the time from the first bad request to the end of the harm; ok is false if nobody is paged.
func (p Pager) Total(bad float64) (d time.Duration, ok bool) {
	d, ok = p.Detect(bad)
	return d + p.People(), ok
}

// Manual is what the model says of a run whose harm nobody ended.
type Manual struct {
	// Bad is the share of bad requests after the release.
	Bad float64
	// Detect is the time to the page, Total that until the person has acted, from the first bad
	// request; both are 0 if nobody is paged.
	Detect, Total time.Duration
	Paged         bool
	// Harm counts the bad requests until the person has acted.
	Harm float64
}

// Manual applies the model to a run: the harm goes on at the run's rate until the person has acted.
func (p Pager) Manual(t *timeline.Timeline) Manual {
	var m Manual
	n, bad, harm := 0, 0, 0
	for _, k := range t.Keys() {
		all, before := t.Count(k), t.CountBefore(k)
		n, bad, harm = n+all.N-before.N, bad+all.Bad-before.Bad, harm+all.Harm
	}
	if !t.FirstBad.Happened() || n == 0 {
		return m
	}
	lasted := t.LastBad.At - t.FirstBad.At
	m.Bad = float64(bad) / float64(n)
	m.Detect, m.Paged = p.Detect(m.Bad)
	m.Total, _ = p.Total(m.Bad)
	if !m.Paged {
		m.Detect, m.Total = 0, 0
	} else if lasted > 0 {
		m.Harm = float64(harm) * float64(m.Total) / float64(lasted)
	}
	return m
}
