package conformance

import (
	"cmp"
	"maps"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/service"
)

// This file checks the state of the cluster when the traffic starts, and how the old version serves
// it.

func checkDeploy(l *Log, found *Findings) {
	baseline, ok := l.stage(event.StageBaseline)
	if !ok {
		found.Addf("there is no baseline")
		return
	}
	for i := range l.Spec.Scenario.Services {
		s := &l.Spec.Scenario.Services[i]
		name := s.Name
		if name == l.service() && l.Spec.Guardrails != nil {
			name = l.primary()
			l.checkWorkload(found, s.Name, baseline, event.Workload{Name: s.Name, Version: s.Baseline})
		}
		l.checkWorkload(found, name, baseline, event.Workload{Name: name, Version: s.Baseline, Desired: s.Replicas,
			Updated: s.Replicas, Ready: s.Replicas})
	}
	if l.Spec.Guardrails == nil {
		return
	}
	if at, ok := l.phase(event.PhaseInitialized); !ok || at > baseline {
		found.Addf("the canary was Initialized at %v (seen: %v), the baseline started at %v", at, ok, baseline)
	}
}

// checkWorkload checks the state of a workload at a time.
func (l *Log) checkWorkload(found *Findings, name string, at time.Duration, want event.Workload) {
	if l.Spec.Guardrails == nil {
		at = max(at, l.Tolerance.Boot.Duration)
	}
	_, got, ok := last(l, at+l.Tolerance.Follow.Duration, func(w event.Workload) bool { return w.Name == name })
	if !ok || got != want {
		found.Addf("at %v workload %s is %+v, want %+v", at, name, got, want)
	}
}

func checkApplied(l *Log, found *Findings) {
	for _, o := range l.Spec.Guardrails.Objects {
		n := 0
		for _, a := range facts[event.Applied](l) {
			if a.ObjectKind != o.Kind || a.Name != o.Name || a.Owner != event.OwnerLearner {
				continue
			}
			n++
			if a.Source != o.Source.String() {
				found.Addf("the source of %s %s is %q, want %q", o.Kind, o.Name, a.Source, o.Source)
			}
			if c := l.Spec.Guardrails.CanaryFor(l.service()); o.Kind == "Canary" &&
				!maps.Equal(a.Annotations, c.Annotations) {
				found.Addf("the Canary has the annotations %v, want %v", a.Annotations, c.Annotations)
			}
		}
		if n != 1 {
			found.Addf("%s %s was recorded %d times", o.Kind, o.Name, n)
		}
	}
}

func checkBaseline(l *Log, found *Findings) {
	begin, ok := l.stage(event.StageBaseline)
	if !ok || !l.Timeline.Released.Happened() {
		found.Addf("there is no baseline, or no release")
		return
	}
	want := l.service()
	if l.Spec.Guardrails != nil {
		want = l.primary()
	}
	if l.Spec.Guardrails == nil {
		begin = max(begin, l.Tolerance.Boot.Duration)
	}
	from, to := begin+l.Tolerance.Settle.Duration, l.Timeline.Released.At
	l.checkServedBy(found, "in the baseline", from, to, want, l.released().Baseline)
	n, bad := 0, 0
	for c := range l.cells(from, to) {
		n, bad = n+c.N, bad+c.Bad-c.Denied
	}
	if float64(bad) > l.Tolerance.Noise.Of*float64(n) {
		found.Addf("%d of %d requests were bad before the release (%v)", bad, n, l.Tolerance.Noise)
	}
	for _, r := range l.Spec.Scenario.Traffic.Routes {
		var waits [][]event.BucketCount
		for c := range l.cells(from, to) {
			if c.Route == r.Name && !deniedByMesh(c) {
				waits = append(waits, c.Latency)
			}
		}
		p50 := event.Quantile(0.5, waits...)
		model := l.median(cmp.Or(r.Service, l.Spec.Scenario.Services[0].Name), r.Name)
		if p50 < model*9/10 || p50 > model*11/10+l.Tolerance.Overhead.Duration {
			found.Addf("route %s took %v at the median, its models %v (%v)", r.Name, p50, model, l.Tolerance.Overhead)
		}
	}
}

// median returns the approximate median latency of a route in the baseline, by the models of the
// services that it calls.
func (l *Log) median(service, route string) time.Duration {
	s := l.Spec.Scenario.Service(service)
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

func behaviour(s *scenario.Service, version string) service.Behaviour {
	return s.Versions[version].Behaviour
}

// minRequests is the least number of requests for a check to be meaningful.
const minRequests = 100

// checkServedBy checks that one version of a workload answers everything in a span, except what the
// mesh denied.
func (l *Log) checkServedBy(found *Findings, when string, from, to time.Duration, workload, version string) {
	n := count(l.cells(from, to), func(c event.Cell) bool { return !deniedByMesh(c) })
	stray := count(l.cells(from, to), func(c event.Cell) bool {
		return !deniedByMesh(c) && (c.Workload != workload || c.Version != version)
	})
	if n < minRequests {
		found.Addf("%s only %d requests were answered from %v to %v", when, n, from, to)
	}
	if float64(stray) > l.Tolerance.Stray.Of*float64(n) {
		found.Addf("%s %d of %d requests were not answered by %s of %s (%v)", when, stray, n, version, workload,
			l.Tolerance.Stray)
	}
}
