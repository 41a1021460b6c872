package clustertest

import (
	"cmp"
	"maps"
	"time"

	"coalmine/lab/app"
	"coalmine/lab/event"
	"coalmine/scenarios"
)

// This file checks what a cluster has done when the traffic begins, and how the old version serves it.

func judgeDeploy(l *Log, found *Findings) {
	baseline, ok := l.stage(event.StageBaseline)
	if !ok {
		found.Addf("there is no baseline")
		return
	}
	for i := range l.Flight.Scenario.Services {
		s := &l.Flight.Scenario.Services[i]
		name := s.Name
		if name == l.service() && l.Flight.Guardrails != nil {
			name = l.primary()
			l.has(found, s.Name, baseline, event.Workload{Name: s.Name, Version: s.Baseline})
		}
		l.has(found, name, baseline, event.Workload{Name: name, Version: s.Baseline, Desired: s.Replicas, Updated: s.Replicas, Ready: s.Replicas})
	}
	if l.Flight.Guardrails == nil {
		return
	}
	if at, ok := l.phase(event.PhaseInitialized); !ok || at > baseline {
		found.Addf("the canary was Initialized at %v (seen: %v), the baseline began at %v", at, ok, baseline)
	}
}

// has checks the state of a workload at a time.
func (l *Log) has(found *Findings, name string, at time.Duration, want event.Workload) {
	if l.Flight.Guardrails == nil {
		at = max(at, l.Allow.Boot.Duration)
	}
	_, got, ok := last(l, at+l.Allow.Follow.Duration, func(w event.Workload) bool { return w.Name == name })
	if !ok || got != want {
		found.Addf("at %v workload %s is %+v, want %+v", at, name, got, want)
	}
}

func judgeApplied(l *Log, found *Findings) {
	for _, o := range l.Flight.Guardrails.Objects {
		n := 0
		for _, a := range facts[event.Applied](l) {
			if a.ObjectKind != o.Kind || a.Name != o.Name || a.Owner != event.OwnerLearner {
				continue
			}
			n++
			if a.Source != o.Source.String() {
				found.Addf("%s %s stands in %q, want %q", o.Kind, o.Name, a.Source, o.Source)
			}
			if c := l.Flight.Guardrails.CanaryFor(l.service()); o.Kind == "Canary" && !maps.Equal(a.Annotations, c.Annotations) {
				found.Addf("the Canary has the annotations %v, want %v", a.Annotations, c.Annotations)
			}
		}
		if n != 1 {
			found.Addf("%s %s was told %d times", o.Kind, o.Name, n)
		}
	}
}

func judgeBaseline(l *Log, found *Findings) {
	begin, ok := l.stage(event.StageBaseline)
	if !ok || !l.Line.Released.Seen() {
		found.Addf("there is no baseline, or no release")
		return
	}
	want := l.service()
	if l.Flight.Guardrails != nil {
		want = l.primary()
	}
	if l.Flight.Guardrails == nil {
		begin = max(begin, l.Allow.Boot.Duration)
	}
	from, to := begin+l.Allow.Settle.Duration, l.Line.Released.At
	l.only(found, "in the baseline", from, to, want, l.released().Baseline)
	n, bad := 0, 0
	for c := range l.cells(from, to) {
		n, bad = n+c.N, bad+c.Bad-c.Denied
	}
	if float64(bad) > l.Allow.Noise.Of*float64(n) {
		found.Addf("%d of %d requests were bad before the release (%v)", bad, n, l.Allow.Noise)
	}
	for _, r := range l.Flight.Scenario.Traffic.Routes {
		var waits [][]event.BucketCount
		for c := range l.cells(from, to) {
			if c.Route == r.Name && !policed(c) {
				waits = append(waits, c.Latency)
			}
		}
		p50 := event.Quantile(0.5, waits...)
		model := l.median(cmp.Or(r.Service, l.Flight.Scenario.Services[0].Name), r.Name)
		if p50 < model*9/10 || p50 > model*11/10+l.Allow.Overhead.Duration {
			found.Addf("route %s took %v at the median, its models %v (%v)", r.Name, p50, model, l.Allow.Overhead)
		}
	}
}

// median is about what a route takes in the baseline by the models of the services on its way.
func (l *Log) median(service, route string) time.Duration {
	s := l.Flight.Scenario.Service(service)
	b, ok := behaviour(s, s.Baseline).Routes[route]
	if !ok {
		b = behaviour(s, s.Baseline).Routes[""]
	}
	d := b.Latency.P50 + b.Datastore.P50
	if b.Calls != "" {
		d += l.median(b.Calls, route)
	}
	return d
}

func behaviour(s *scenarios.Service, version string) app.Behaviour {
	return s.Versions[version].Behaviour
}

// enough is the least number of requests that a check of all of them must have seen.
const enough = 100

// only checks that a version of a workload answers everything in a span but what the mesh turned away.
func (l *Log) only(found *Findings, when string, from, to time.Duration, workload, version string) {
	n := count(l.cells(from, to), func(c event.Cell) bool { return !policed(c) })
	stray := count(l.cells(from, to), func(c event.Cell) bool {
		return !policed(c) && (c.Workload != workload || c.Version != version)
	})
	if n < enough {
		found.Addf("%s only %d requests were answered from %v to %v", when, n, from, to)
	}
	if float64(stray) > l.Allow.Stray.Of*float64(n) {
		found.Addf("%s %d of %d requests were not answered by %s of %s (%v)", when, stray, n, version, workload, l.Allow.Stray)
	}
}
