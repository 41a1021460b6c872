package conformance

import (
	"slices"
	"strings"
	"time"

	"coalmine/lab/event"
)

// This file checks what guardrails see and report.

// metricRange bounds the value of a metric at the end of the run abort, and says why.
type metricRange struct {
	metric   string
	min, max float64
	why      string
}

// metricRanges are wide enough for scrapes every 10 s and for probes, which real proxies count as
// well.
func metricRanges() []metricRange {
	return []metricRange{
		{"inbound-tls", 90, 100, "only the client with an identity is let in; the rest are probes"},
		{"failures", 15, 35, "half of the requests are reports, and half of these fail"},
		{"latency", 8, 80, "the model's median is 20 ms, in buckets of 10 to 20 and 20 to 30"},
		{"allowed", 50, 5000, "some 20 requests a second over half a minute"},
		{"denied", 50, 5000, "5 requests a second from the start on"},
		{"denied-clients", 50, 5000, "the same requests, as their client's proxy counts them"},
		{"certificate", 6, 24.1, "certificates are for 24 hours and renewed at 70 % of them"},
		{"app-failures", 35, 65, "half of the reports fail"},
		{"flagger-weight", 50, 50, "the canary is held at its first step"},
		{"flagger-status", 0, 0, "the canary progresses"},
		{"route-share", 30, 70, "the canary is held at half of the traffic"},
		{"route-failures", 20, 5000, "5 requests a second over half a minute"},
		{"success-rate", 65, 85, "half of the requests are reports, and half of these fail"},
	}
}

func checkMetrics(l *Log, found *Findings) {
	for _, b := range metricRanges() {
		_, q, ok := last(l, l.end(), func(q event.Query) bool { return q.Metric == b.metric && q.Value != nil })
		switch {
		case !ok:
			found.Addf("metric %s never had a value", b.metric)
		case *q.Value < b.min || *q.Value > b.max:
			found.Addf("metric %s is %v at the end, want %v to %v: %s", b.metric, *q.Value, b.min, b.max, b.why)
		}
	}
}

func checkQueries(l *Log, found *Findings) {
	failing, asked := 0, map[string]bool{}
	for at, q := range facts[event.Query](l) {
		asked[q.Metric] = true
		if q.Asker != l.service() || q.PromQL == "" || strings.Contains(q.PromQL, "{{") ||
			strings.Contains(q.PromQL, "#") || q.Error != "" {
			found.Addf("the query at %v is %+v", at, q)
		}
		if q.Value == nil || q.Min != nil && *q.Value < *q.Min || q.Max != nil && *q.Value > *q.Max {
			failing++
		}
		for _, m := range l.analysis().Metrics {
			if m.Name == q.Metric && !(equal(m.ThresholdRange.Min, q.Min) && equal(m.ThresholdRange.Max, q.Max)) {
				found.Addf("the query at %v for %s does not have the bounds of its check", at, q.Metric)
			}
		}
	}
	for _, m := range l.analysis().Metrics {
		if !asked[m.Name] {
			found.Addf("no query for %s", m.Name)
		}
	}
	maxFailed := 0
	for _, c := range facts[event.Canary](l) {
		maxFailed = max(maxFailed, c.FailedChecks)
	}
	halted := 0
	for _, g := range facts[event.Gate](l) {
		if g.Hook == "rollout" && !g.Passed {
			halted++ // Flagger counts it, and asks no query in that interval
		}
	}
	if failing+halted != maxFailed {
		found.Addf("%d queries and %d gates failed their checks, Flagger counted %d failed checks", failing, halted,
			maxFailed)
	}
}

func equal(a, b *float64) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// deniedCohorts returns the cohorts without the right identity in the run abort. That of
// meteredCohort has a counter of its own.
const meteredCohort = "app"

func deniedCohorts(l *Log) []string {
	if l.Spec.Scenario.Name == RunAbort {
		return []string{meteredCohort, "strangers"}
	}
	return nil
}

func checkPolicy(l *Log, found *Findings) {
	away := deniedCohorts(l)
	n, denied := map[string]int{}, map[string]int{}
	for c := range l.cells(0, l.end()) {
		n[c.Cohort] += c.N
		denied[c.Cohort] += c.Denied
	}
	for cohort := range n {
		switch out := slices.Contains(away, cohort); {
		case !out && float64(denied[cohort]) > l.Tolerance.Stray.Of*float64(n[cohort]):
			found.Addf("%d of %d requests of cohort %s were denied", denied[cohort], n[cohort], cohort)
		case out && (n[cohort] < minCohortRequests || float64(n[cohort]-denied[cohort]) > l.Tolerance.Noise.Of*
			float64(n[cohort])):
			found.Addf("%d of %d requests of cohort %s were denied, want all (%v)", denied[cohort], n[cohort], cohort,
				l.Tolerance.Noise)
		}
	}
	if _, _, ok := first(l, func(w event.Workload) bool {
		return w.Name == l.service() && w.Version == l.Spec.Version && w.Ready == l.released().Replicas
	}); !ok {
		found.Addf("the canary's pods were never ready: their probes fail")
	}
	if len(away) > 0 {
		l.checkDenyCounter(found)
	}
}

// maxScrapeAge is how old a sample in Prometheus may be: two scrapes, as the newest may just be
// missed.
const maxScrapeAge = 20 * time.Second

// checkDenyCounter compares the pods' counter of denied requests with what the users got.
func (l *Log) checkDenyCounter(found *Findings) {
	at, q, ok := last(l, l.end(), func(q event.Query) bool { return q.Metric == "denied" && q.Value != nil })
	if !ok {
		found.Addf("there is no counter of denied requests")
		return
	}
	upTo := func(to time.Duration) float64 {
		return float64(count(l.cells(0, to), func(c event.Cell) bool { return c.Cohort == meteredCohort }))
	}
	low, high := upTo(at-maxScrapeAge-time.Second), upTo(at+2*time.Second)
	if *q.Value < low*(1-l.Tolerance.Noise.Of) || *q.Value > high*(1+l.Tolerance.Noise.Of) {
		found.Addf("at %v the counter has %v denied requests, users had %.0f to %.0f", at, *q.Value, low, high)
	}
}

// gateCall is one webhook of the run promote and its answers.
type gateCall struct {
	gate, hook string
	// first and last answers of the gate.
	first, last bool
}

func gateCalls() []gateCall {
	return []gateCall{
		{event.GateApprove, "confirm-rollout", false, true},
		{event.GateMTLS, "pre-rollout", true, true},
		{event.GatePolicy, "pre-rollout", true, true},
		{event.GateRollbackDrill, "pre-rollout", true, true},
		{event.GateVolume, "rollout", true, true},
		{event.GateCohort, "rollout", true, true},
		{event.GateApprove, "confirm-traffic-increase", true, true},
		{event.GateMTLS, "confirm-promotion", true, true},
		{event.GateVolume, event.HookRollback, false, false},
		{event.GateVolume, "post-rollout", true, true},
	}
}

// justRouted reports whether at is so soon after the canary's first step that it has answered few
// requests. Flagger's next interval begins at once if a gate before the first step took longer than
// one.
func (l *Log) justRouted(at time.Duration) bool {
	stepped, _, ok := first(l, func(c event.Canary) bool { return c.Weight > 0 })
	return ok && at >= stepped && at < stepped+l.Tolerance.Follow.Duration
}

func checkGates(l *Log, found *Findings) {
	for at, g := range facts[event.Gate](l) {
		if g.Reason == "" || g.Passed != (g.Status == 200) || g.Canary != l.service() ||
			!strings.HasPrefix(g.URL, "http://gate.coalmine/"+g.Name) ||
			g.Phase == "" {
			found.Addf("the answer at %v is %+v", at, g)
		}
		if g.Name == event.GateApprove && g.Hook == "confirm-rollout" &&
			g.Passed != (at >= l.Timeline.Released.At+l.Spec.ApproveAfter) &&
			!l.near(at, l.Timeline.Released.At+l.Spec.ApproveAfter) {
			found.Addf("at %v the gate approve answered %v, approval was %v after the release at %v", at, g.Passed,
				l.Spec.ApproveAfter, l.Timeline.Released.At)
		}
	}
	for _, c := range gateCalls() {
		of := func(g event.Gate) bool { return g.Name == c.gate && g.Hook == c.hook }
		at, a, ok := first(l, of)
		if ok && c.hook == "rollout" && l.justRouted(at) {
			_, a, ok = first(l, func(g event.Gate) bool { return of(g) && g.Passed })
		}
		_, b, _ := last(l, l.end(), of)
		switch {
		case !ok:
			found.Addf("hook %s never called gate %s", c.gate, c.hook)
		case a.Passed != c.first || b.Passed != c.last:
			found.Addf("gate %s answered hook %s %v (%s) first and %v (%s) last, want %v and %v", c.gate, c.hook,
				a.Passed, a.Reason,
				b.Passed, b.Reason, c.first, c.last)
		}
	}
	if _, ok := l.phase(event.PhaseWaiting); !ok {
		found.Addf("the canary never waited for approval")
	}
}

func checkClosedGates(l *Log, found *Findings) {
	want := "admits a client without identity"
	if l.Spec.Scenario.Name == RunAbort {
		want = "denies mobile"
	}
	n := 0
	for at, g := range facts[event.Gate](l) {
		n++
		if g.Name != event.GatePolicy || g.Passed || !strings.Contains(g.Reason, want) {
			found.Addf("at %v gate %s answered %v, %q: want no, because a pod %s", at, g.Name, g.Passed, g.Reason, want)
		}
	}
	if n < 2 {
		found.Addf("the gate policy was called %d times", n)
	}
}

// refusals has the reason of each gate in the run refused.
func refusals() map[string]string {
	return map[string]string{
		event.GateMTLS:          "has no proxy, and so no identity",
		event.GatePolicy:        "has no proxy and admits any client",
		event.GateVolume:        "the canary answered 0 requests",
		event.GateCohort:        "the canary answered 0 requests of cohort shoppers",
		event.GateApprove:       "not approved yet",
		event.GateRollbackDrill: "probes reached the primary after the rule was removed",
	}
}

func checkRefusals(l *Log, found *Findings) {
	said := map[string]bool{}
	for at, g := range facts[event.Gate](l) {
		if g.Passed || g.Late {
			found.Addf("at %v gate %s answered %v, %q: want no", at, g.Name, g.Passed, g.Reason)
		}
		said[g.Name] = said[g.Name] || strings.Contains(g.Reason, refusals()[g.Name])
	}
	for gate, reason := range refusals() {
		if !said[gate] {
			found.Addf("gate %s never said %q", gate, reason)
		}
	}
	if _, ok := l.phase(event.PhaseFailed); !ok {
		found.Addf("the release was not rolled back")
	}
	if n := count(l.cells(l.Timeline.Released.At, l.end()), l.canary); n > 0 {
		found.Addf("the canary answered %d requests", n)
	}
}

// badRange bounds the share of bad requests of a route in the run limits, and says why.
type badRange struct {
	route    string
	min, max float64
	why      string
}

func badRanges(t Tolerance) []badRange {
	flaky := badRange{"flaky", 0.02, 0.14, "half of four attempts fail, so one request in sixteen does"}
	if t.SameAgain != "" {
		flaky = badRange{"flaky", 0.02, 0.62, "half of the attempts fail; " + t.SameAgain}
	}
	return []badRange{
		{"item", 0, 0.02, "nothing is wrong with it"},
		flaky,
		{"slow", 0.98, 1, "the timeout is shorter than any answer"},
		{"hidden", 0.98, 1, "no route of the Server matches it"},
	}
}

func checkLimits(l *Log, found *Findings) {
	n, bad := map[string]int{}, map[string]int{}
	for c := range l.cells(l.Tolerance.Settle.Duration, l.end()) {
		n[c.Route] += c.N
		bad[c.Route] += c.Bad
	}
	for _, b := range badRanges(l.Tolerance) {
		share := float64(bad[b.route]) / float64(max(n[b.route], 1))
		if n[b.route] < minRequests || share < b.min || share > b.max {
			found.Addf("%d of %d requests on route %s were bad, want %v to %v of them: %s", bad[b.route], n[b.route],
				b.route, b.min, b.max, b.why)
		}
	}
	if !l.Timeline.Promoted.Happened() {
		found.Addf("the release was not promoted")
	}
}

func checkDrill(l *Log, found *Findings) {
	at, r, ok := first(l, anything[event.RollbackDrill])
	if !ok {
		found.Addf("there was no rollback drill")
		return
	}
	if !r.Passed || r.Probes < 10 || r.Forward != r.Probes || r.Back != r.Probes || r.Reason == "" ||
		r.Canary != l.service() {
		found.Addf("the rollback drill is %+v", r)
	}
	exposed := l.end()
	if len(l.Timeline.Steps) > 0 {
		exposed = l.Timeline.Steps[0].At
	}
	if at > exposed+l.Tolerance.Follow.Duration {
		found.Addf("the rollback drill was at %v, the first traffic at %v", at, exposed)
	}
	if n := count(l.cells(l.Timeline.Released.At, exposed-l.Tolerance.Ahead.Duration), l.canary); n > 0 {
		found.Addf("the canary answered %d requests of users before its first step", n)
	}
}

// expectedMessages are what Flagger sends at the end of a rollout, as alert and as event (flagger,
// pkg/controller/scheduler.go).
type expectedMessages struct{ alert, severity, event, kind string }

func expectedEnd(l *Log) expectedMessages {
	if l.Spec.Version == l.Spec.Scenario.Release.Faulty {
		return expectedMessages{"Failed checks threshold reached", "error", "Canary failed! Scaling down", "Warning"}
	}
	return expectedMessages{"Canary analysis completed successfully", "info",
		"Promotion completed! Scaling down", "Normal"}
}

func checkAlerts(l *Log, found *Findings) {
	want := expectedEnd(l)
	if _, _, ok := first(l, func(a event.Alert) bool {
		return a.Provider == "pager" && a.Canary == l.service() && a.Severity == want.severity &&
			strings.Contains(a.Message, want.alert)
	}); !ok {
		found.Addf("there is no alert %q of severity %s to pager", want.alert, want.severity)
	}
}

func checkFlagger(l *Log, found *Findings) {
	want := expectedEnd(l)
	for _, s := range []expectedMessages{{event: "New revision detected! Scaling up", kind: "Normal"},
		{event: "Starting canary analysis", kind: "Normal"},
		{event: "Advance", kind: "Normal"}, want} {
		if _, _, ok := first(l, func(f event.Flagger) bool {
			return f.Canary == l.service() && f.Type == s.kind && strings.Contains(f.Message, s.event)
		}); !ok {
			found.Addf("there is no %s event %q of Flagger", s.kind, s.event)
		}
	}
}
