package clustertest

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/event"
)

// This file checks the frame of a log: what any reader relies on before it looks at a number.

func judgeOrder(l *Log, found *Findings) {
	n := len(l.Events)
	if n < 2 {
		found.Addf("the log has %d events", n)
		return
	}
	if _, ok := l.Events[0].Fact.(event.RunStarted); !ok {
		found.Addf("the log begins with %s", l.Events[0].Fact.Kind())
	}
	if end, ok := l.Events[n-1].Fact.(event.RunEnded); !ok || end.Outcome != event.OutcomeCompleted {
		found.Addf("the log ends with %s %+v", l.Events[n-1].Fact.Kind(), l.Events[n-1].Fact)
	}
	for i, e := range l.Events {
		if e.Seq != i+1 {
			found.Addf("event %d has number %d", i+1, e.Seq)
		}
		if i > 0 && e.At < l.Events[i-1].At {
			found.Addf("event %d is of %v, the one before of %v", e.Seq, e.At, l.Events[i-1].At)
		}
	}
}

func judgeDescription(l *Log, found *Findings) {
	s := l.Flight.Scenario
	want := event.RunStarted{
		Format: event.Format, Scenario: s.Name, Service: s.Release.Service, Version: l.Flight.Version, Baseline: l.released().Baseline,
		Role: s.Role(l.Flight.Version), Seed: l.Flight.Seed, Cluster: l.Cluster.Cluster, Mesh: l.Cluster.Mesh,
		Guarded: l.Flight.Guardrails != nil, Versions: l.Cluster.Versions,
	}
	if diff := cmp.Diff(want, l.Line.Run); diff != "" {
		found.Addf("run.started differs (-want +got):\n%s", diff)
	}
	if l.Cluster.Cluster == "" || l.Cluster.Mesh == "" {
		found.Addf("the cluster does not name itself and its mesh: %+v", l.Cluster)
	}
	for _, part := range []string{"coalmine", "flagger", "kubernetes", "prometheus"} {
		if _, ok := l.Cluster.Versions[part]; !ok {
			found.Addf("the cluster does not say its version of %s", part)
		}
	}
}

func judgeStages(l *Log, found *Findings) {
	want := []string{event.StagePrepare, event.StageBaseline, event.StageRollout}
	if l.Flight.Guardrails != nil {
		want = append(want, event.StageSettle)
	}
	var got []string
	for _, s := range l.Line.Stages {
		got = append(got, s.Name)
	}
	if !slices.Equal(got, want) {
		found.Addf("stages %v, want %v", got, want)
		return
	}
	baseline, rollout := l.Line.Stages[1].At, l.Line.Stages[2].At
	l.lasts(found, "the baseline", rollout-baseline, l.Flight.Scenario.Timing.Baseline)
	l.lasts(found, "the rollout", l.end()-rollout, l.Flight.Scenario.Timing.Horizon)
	releases := 0
	for at, r := range facts[event.Released](l) {
		releases++
		if at < rollout || at > rollout+l.Allow.Slack.Duration {
			found.Addf("released at %v, the stage began at %v", at, rollout)
		}
		if r.Service != l.service() || r.Version != l.Flight.Version {
			found.Addf("released %+v, want %s of %s", r, l.Flight.Version, l.service())
		}
	}
	if releases != 1 {
		found.Addf("%d releases", releases)
	}
}

// lasts checks how long a stage took.
func (l *Log) lasts(found *Findings, what string, took, want time.Duration) {
	if took < want || took > want+l.Allow.Slack.Duration {
		found.Addf("%s lasted %v, want %v (%v)", what, took, want, l.Allow.Slack)
	}
}

func judgeSeconds(l *Log, found *Findings) {
	baseline, ok := l.stage(event.StageBaseline)
	if !ok || !l.Line.TotalsAt.Seen() {
		found.Addf("there is no baseline, or there are no totals")
		return
	}
	n, end, idle := 0, time.Duration(0), time.Duration(0)
	for at, s := range facts[event.Traffic](l) {
		from, to := time.Duration(s.From), time.Duration(s.To)
		boot := from <= l.Allow.Boot.Duration && l.Flight.Guardrails == nil
		switch {
		case n == 0 && (from < baseline-time.Second || from > baseline+l.Allow.Slack.Duration):
			found.Addf("the first second begins at %v, the traffic at %v (%v)", from, baseline, l.Allow.Slack)
		case n > 0 && from > end && !boot:
			idle += from - end
		case n > 0 && from < end:
			found.Addf("a second from %v follows one to %v", from, end)
		}
		if to <= from || to-from > 1100*time.Millisecond && !boot {
			found.Addf("a second goes from %v to %v", from, to)
		}
		if late := at - to; late < -time.Millisecond || late > l.Allow.Lag.Duration+time.Millisecond {
			found.Addf("the second to %v came at %v (%v)", to, at, l.Allow.Lag)
		}
		if l.Line.TotalsAt.Seen() && at > l.Line.TotalsAt.At {
			found.Addf("the second to %v came after the totals", to)
		}
		n, end = n+1, to
	}
	if idle > l.Allow.Idle.Duration {
		found.Addf("%v of the traffic are in no second (%v)", idle, l.Allow.Idle)
	}
	if end < l.Line.TotalsAt.At-l.Allow.Slack.Duration-time.Second {
		found.Addf("the last second ends at %v, the traffic at %v (%v)", end, l.Line.TotalsAt.At, l.Allow.Slack)
	}
}

func judgeCells(l *Log, found *Findings) {
	routes, cohorts := map[string]bool{}, map[string]bool{}
	for _, r := range l.Flight.Scenario.Traffic.Routes {
		routes[r.Name] = true
	}
	for _, c := range l.Flight.Scenario.Traffic.Cohorts {
		cohorts[c.Name] = true
	}
	for c := range l.cells(0, l.end()) {
		if !routes[c.Route] || !cohorts[c.Cohort] {
			found.Addf("a cell of route %q and cohort %q", c.Route, c.Cohort)
		}
		most := max(c.Errors, c.Denied, c.Limited, c.Slow, c.Wrong, c.Harm)
		if c.N < 1 || c.Bad > c.N || c.Hit > c.N || most > c.Bad || c.Harm > c.Hit {
			found.Addf("the parts of a cell do not fit: %+v", c)
		}
		n := 0
		for _, b := range c.Latency {
			n += b.Count
		}
		if n != c.N {
			found.Addf("%d of %d requests have a latency: %+v", n, c.N, c)
		}
		if c.Workload != "" && c.Workload != l.service() && c.Workload != l.primary() || (c.Workload == "") != (c.Version == "") {
			found.Addf("a cell of workload %q with version %q", c.Workload, c.Version)
		}
	}
}

func judgeTotals(l *Log, found *Findings) {
	baseline, ok := l.stage(event.StageBaseline)
	totals := l.Line.Totals
	if !ok || totals == nil {
		found.Addf("there is no baseline, or there are no totals")
		return
	}
	rate := l.Flight.Scenario.Traffic.Rate.Constant
	mean := rate * (l.Line.TotalsAt.At - baseline).Seconds()
	slack := rate * l.Allow.Slack.Seconds()
	if n := float64(totals.Planned); n > mean+poissonBound(mean) || n < mean-poissonBound(mean)-slack {
		found.Addf("%d arrivals were planned, %.0f are expected (%v)", totals.Planned, mean, l.Allow.Slack)
	}
	n, harm := 0, 0
	for c := range l.cells(0, l.end()) {
		n, harm = n+c.N, harm+c.Harm
	}
	if n != totals.Answered {
		found.Addf("the seconds have %d requests, %d were answered", n, totals.Answered)
	}
	if open := totals.Planned - totals.Answered; open != totals.Open || open < 0 || float64(open) > rate+l.Allow.Noise.Of*mean {
		found.Addf("%d planned, %d answered, %d open", totals.Planned, totals.Answered, totals.Open)
	}
	l.judgeUsers(totals, harm, found)
}

func (l *Log) judgeUsers(totals *event.TrafficTotals, harm int, found *Findings) {
	hurt := 0
	for _, c := range l.Flight.Scenario.Traffic.Cohorts {
		users := totals.Users[c.Name]
		if users < 1 || users > c.Users || totals.Hurt[c.Name] > users {
			found.Addf("cohort %s: %d users, %d of them hurt, of %d that there are", c.Name, users, totals.Hurt[c.Name], c.Users)
		}
		hurt += totals.Hurt[c.Name]
	}
	if (hurt == 0) != (harm == 0) || hurt > harm {
		found.Addf("%d users were hurt by %d harmed requests", hurt, harm)
	}
	soFar := 0
	for _, s := range facts[event.Traffic](l) {
		if s.HurtSoFar < soFar || s.HurtSoFar > hurt {
			found.Addf("%d users were hurt up to %v, %d before, %d in all", s.HurtSoFar, time.Duration(s.To), soFar, hurt)
		}
		soFar = s.HurtSoFar
	}
}
