package conformance

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/event"
)

// This file checks the form of a log, which readers rely on before they look at any number.

func checkOrder(l *Log, found *Findings) {
	n := len(l.Events)
	if n < 2 {
		found.Addf("the log has %d events", n)
		return
	}
	if _, ok := l.Events[0].Fact.(event.RunStarted); !ok {
		found.Addf("the log starts with %s", l.Events[0].Fact.Kind())
	}
	if end, ok := l.Events[n-1].Fact.(event.RunEnded); !ok || end.Outcome != event.OutcomeCompleted {
		found.Addf("the log ends with %s %+v", l.Events[n-1].Fact.Kind(), l.Events[n-1].Fact)
	}
	for i, e := range l.Events {
		if e.Seq != i+1 {
			found.Addf("event %d has number %d", i+1, e.Seq)
		}
		if i > 0 && e.At < l.Events[i-1].At {
			found.Addf("event %d is at %v, the one before at %v", e.Seq, e.At, l.Events[i-1].At)
		}
	}
}

func checkDescription(l *Log, found *Findings) {
	s := l.Spec.Scenario
	want := event.RunStarted{
		Format: event.Format, Scenario: s.Name, Service: s.Release.Service, Version: l.Spec.Version,
		Baseline: l.released().Baseline,
		Role:     s.Role(l.Spec.Version), Seed: l.Spec.Seed, Cluster: l.Cluster.Cluster, Mesh: l.Cluster.Mesh,
		Guarded: l.Spec.Guardrails != nil, Versions: l.Cluster.Versions,
		ScenarioDigest: s.Digest(), GuardrailsDigest: l.Spec.Guardrails.Digest(),
	}
	if diff := cmp.Diff(want, l.Timeline.Run); diff != "" {
		found.Addf("run.started differs (-want +got):\n%s", diff)
	}
	if l.Cluster.Cluster == "" || l.Cluster.Mesh == "" {
		found.Addf("the cluster does not name itself and its mesh: %+v", l.Cluster)
	}
	for _, part := range []string{"coalmine", "flagger", "kubernetes", "prometheus"} {
		if _, ok := l.Cluster.Versions[part]; !ok {
			found.Addf("the cluster has no version of %s", part)
		}
	}
}

func checkStages(l *Log, found *Findings) {
	want := []string{event.StagePrepare, event.StageBaseline, event.StageRollout}
	if l.Spec.Guardrails != nil {
		want = append(want, event.StageSettle)
	}
	var got []string
	for _, s := range l.Timeline.Stages {
		got = append(got, s.Name)
	}
	if !slices.Equal(got, want) {
		found.Addf("stages %v, want %v", got, want)
		return
	}
	baseline, rollout := l.Timeline.Stages[1].At, l.Timeline.Stages[2].At
	l.checkDuration(found, "the baseline", rollout-baseline, l.Spec.Scenario.Timing.Baseline)
	l.checkDuration(found, "the rollout", l.end()-rollout, l.Spec.Scenario.Timing.Horizon)
	releases := 0
	for at, r := range facts[event.Released](l) {
		releases++
		if at < rollout || at > rollout+l.Tolerance.Slack.Duration {
			found.Addf("released at %v, the stage started at %v", at, rollout)
		}
		if r.Service != l.service() || r.Version != l.Spec.Version {
			found.Addf("released %+v, want %s of %s", r, l.Spec.Version, l.service())
		}
	}
	if releases != 1 {
		found.Addf("%d releases", releases)
	}
}

// checkDuration checks how long a stage took.
func (l *Log) checkDuration(found *Findings, what string, took, want time.Duration) {
	if took < want || took > want+l.Tolerance.Slack.Duration {
		found.Addf("%s lasted %v, want %v (%v)", what, took, want, l.Tolerance.Slack)
	}
}

func checkSeconds(l *Log, found *Findings) {
	baseline, ok := l.stage(event.StageBaseline)
	if !ok || !l.Timeline.TotalsAt.Happened() {
		found.Addf("there is no baseline, or there are no totals")
		return
	}
	n, end, idle := 0, time.Duration(0), time.Duration(0)
	for at, s := range facts[event.Traffic](l) {
		from, to := time.Duration(s.From), time.Duration(s.To)
		boot := from <= l.Tolerance.Boot.Duration && l.Spec.Guardrails == nil
		switch {
		case n == 0 && (from < baseline-time.Second || from > baseline+l.Tolerance.Slack.Duration):
			found.Addf("the first second starts at %v, the traffic at %v (%v)", from, baseline, l.Tolerance.Slack)
		case n > 0 && from > end && !boot:
			idle += from - end
		case n > 0 && from < end:
			found.Addf("a second from %v follows one to %v", from, end)
		}
		if to <= from || to-from > 1100*time.Millisecond && !boot {
			found.Addf("a second goes from %v to %v", from, to)
		}
		if late := at - to; late < -time.Millisecond || late > l.Tolerance.Lag.Duration+time.Millisecond {
			found.Addf("the second to %v was recorded at %v (%v)", to, at, l.Tolerance.Lag)
		}
		if l.Timeline.TotalsAt.Happened() && at > l.Timeline.TotalsAt.At {
			found.Addf("the second to %v was recorded after the totals", to)
		}
		n, end = n+1, to
	}
	if idle > l.Tolerance.Idle.Duration {
		found.Addf("%v of the traffic are not in any second (%v)", idle, l.Tolerance.Idle)
	}
	if end < l.Timeline.TotalsAt.At-l.Tolerance.Slack.Duration-time.Second {
		found.Addf("the last second ends at %v, the traffic at %v (%v)", end, l.Timeline.TotalsAt.At, l.Tolerance.Slack)
	}
}

func checkCells(l *Log, found *Findings) {
	routes, cohorts := map[string]bool{}, map[string]bool{}
	for _, r := range l.Spec.Scenario.Traffic.Routes {
		routes[r.Name] = true
	}
	for _, c := range l.Spec.Scenario.Traffic.Cohorts {
		cohorts[c.Name] = true
	}
	for c := range l.cells(0, l.end()) {
		if !routes[c.Route] || !cohorts[c.Cohort] {
			found.Addf("a cell of route %q and cohort %q", c.Route, c.Cohort)
		}
		maxFailed := max(c.Errors, c.Denied, c.Limited, c.Slow, c.Wrong, c.Harm+c.ByMesh)
		// An attempt that was sent again may be all that a workload answered in a second.
		if c.N+c.Retried+c.ProxyRetried < 1 || c.Bad > c.N || c.Hit > c.N || maxFailed > c.Bad || c.Harm > c.Hit {
			found.Addf("a cell is inconsistent: %+v", c)
		}
		n := 0
		for _, b := range c.Latency {
			n += b.Count
		}
		if n != c.N {
			found.Addf("%d of %d requests have a latency: %+v", n, c.N, c)
		}
		if c.Workload != "" && c.Workload != l.service() && c.Workload != l.primary() ||
			(c.Workload == "") != (c.Version == "") {
			found.Addf("a cell of workload %q with version %q", c.Workload, c.Version)
		}
	}
}

func checkTotals(l *Log, found *Findings) {
	baseline, ok := l.stage(event.StageBaseline)
	totals := l.Timeline.Totals
	if !ok || totals == nil {
		found.Addf("there is no baseline, or there are no totals")
		return
	}
	rate := l.Spec.Scenario.Traffic.Rate.Constant
	mean := rate * (l.Timeline.TotalsAt.At - baseline).Seconds()
	slack := rate * l.Tolerance.Slack.Seconds()
	if n := float64(totals.Planned); n > mean+poissonBound(mean) || n < mean-poissonBound(mean)-slack {
		found.Addf("%d arrivals were planned, %.0f are expected (%v)", totals.Planned, mean, l.Tolerance.Slack)
	}
	n, harm := 0, 0
	for c := range l.cells(0, l.end()) {
		n, harm = n+c.N, harm+c.Harm+c.ByMesh
	}
	if n != totals.Answered {
		found.Addf("the seconds have %d requests, %d were answered", n, totals.Answered)
	}
	if open := totals.Planned - totals.Answered; open != totals.Open || open < 0 ||
		float64(open) > rate+l.Tolerance.Noise.Of*mean {
		found.Addf("%d planned, %d answered, %d open", totals.Planned, totals.Answered, totals.Open)
	}
	l.checkUsers(totals, harm, found)
}

func (l *Log) checkUsers(totals *event.TrafficTotals, harm int, found *Findings) {
	hurt := 0
	for _, c := range l.Spec.Scenario.Traffic.Cohorts {
		users := totals.Users[c.Name]
		if users < 1 || users > c.Users || totals.Hurt[c.Name] > users {
			found.Addf("cohort %s: %d users, %d of them hurt, of %d in all", c.Name, users,
				totals.Hurt[c.Name], c.Users)
		}
		hurt += totals.Hurt[c.Name]
	}
	if (hurt == 0) != (harm == 0) || hurt > harm {
		found.Addf("%d users were hurt by %d harmed requests", hurt, harm)
	}
	soFar := 0
	for _, s := range facts[event.Traffic](l) {
		if s.HurtSoFar < soFar || s.HurtSoFar > hurt {
			found.Addf("%d users were hurt up to %v, %d before, %d in all", s.HurtSoFar, time.Duration(s.To),
				soFar, hurt)
		}
		soFar = s.HurtSoFar
	}
}
