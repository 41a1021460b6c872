package sim_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
	"coalmine/tui/recording"
)

// onRelease counts the answers of a time: all, and those of the released version.
func onRelease(events []event.Event, from, to time.Duration) (released, all int) {
	version := events[0].Fact.(event.RunStarted).Version
	for _, e := range events {
		f, ok := e.Fact.(event.Traffic)
		if !ok || time.Duration(f.From) < from || time.Duration(f.To) > to {
			continue
		}
		for _, c := range f.Cells {
			if c.Workload == "" {
				continue
			}
			all += c.N + c.Retried
			if c.Version == version {
				released += c.N + c.Retried
			}
		}
	}
	return released, all
}

// agrees reports whether a shown percentage is the share of some answers, but for rounding and
// chance (five standard deviations).
func agrees(shown, released, all int) bool {
	if all == 0 {
		return shown == 0
	}
	share := float64(released) / float64(all)
	p := max(share, float64(shown)/100)
	return math.Abs(100*share-float64(shown)) <= 0.6+100*5*math.Sqrt(p*(1-min(p, 1))/float64(all))
}

// weightRun is a way of routing, and what users are to see of it.
type weightRun struct {
	analysis string
	// affinity is set for session affinity on the frontend, whose clients are users with cookies.
	affinity bool
	version  string
	approve  time.Duration
	// last is the last phase; said are parts of the narrative, unsaid must not be in it.
	last         string
	said, unsaid []string
}

// Ways of routing in which Flagger's status.canaryWeight is not what users are routed by.
func weightRuns() map[string]weightRun {
	const gate = "\nwebhooks: [{name: somebody, type: confirm-promotion, url: 'http://gate.coalmine/approve'}]"
	const metrics = "\nmetrics: [{name: success-rate, templateRef: {name: success-rate}, thresholdRange: {min: 95}, " +
		"interval: 30s}]"
	return map[string]weightRun{
		"weights": {analysis: "interval: 20s\nthreshold: 2\nstepWeights: [10, 50]" + metrics, version: good,
			approve: -1, last: event.PhaseSucceeded, said: []string{"advanced to 10 % of the traffic"}},
		"weights of a faulty version": {analysis: "interval: 30s\nthreshold: 2\nstepWeights: [10, 50]" + metrics,
			version: bad, approve: -1, last: event.PhaseFailed, said: []string{"(the canary had 10 %)"}},
		"a wait for promotion": {analysis: "interval: 20s\nthreshold: 2\nstepWeights: [20, 100]" + metrics + gate,
			version: good, approve: -1, last: event.PhaseWaitingPromotion,
			said: []string{"waits for a gate (phase WaitingPromotion) at 100 %"}},
		"a wait that ends": {analysis: "interval: 20s\nthreshold: 2\nstepWeights: [20, 60]" + metrics + gate,
			version: good, approve: 100 * time.Second, last: event.PhaseSucceeded,
			said: []string{"waits for a gate (phase WaitingPromotion) at 60 %"}},
		"promotion in steps": {analysis: "interval: 20s\nthreshold: 2\nstepWeight: 40\nmaxWeight: 80\n" +
			"stepWeightPromotion: 50" + metrics, version: good, approve: -1, last: event.PhaseSucceeded},
		"an experiment": {analysis: "interval: 20s\nthreshold: 2\niterations: 3\n" +
			"match: [{headers: {x-role: {exact: merchant}}}]" + metrics, version: good, approve: -1,
			last: event.PhaseSucceeded, said: []string{"iteration 1 of 3 begins"}},
		"an experiment with a faulty version": {analysis: "interval: 30s\nthreshold: 2\niterations: 9\n" +
			"match: [{headers: {x-role: {exact: merchant}}}]" + metrics, version: bad, approve: -1,
			last: event.PhaseFailed, said: []string{"held at iteration 1 with "}, unsaid: []string{"had 100 %"}},
		"blue and green": {analysis: "interval: 20s\nthreshold: 2\niterations: 2", version: good, approve: -1,
			last:   event.PhaseSucceeded,
			said:   []string{"iteration 2 of 2 begins", "the iterations are over: all traffic to the canary"},
			unsaid: []string{"iteration 3"}},
		"blue and green without traffic": {analysis: "interval: 20s\nthreshold: 2\niterations: 5" + metrics,
			version: good, approve: -1, last: event.PhaseFailed,
			said: []string{"held at iteration 1 before it had any traffic", "(the canary never had any)"}},
		"session affinity": {affinity: true, version: good, approve: -1, last: event.PhaseSucceeded,
			said:   []string{"advanced to 20 % of the users without its cookie (the canary had "},
			unsaid: []string{"20 % of the traffic:"}},
		"session affinity of a faulty version": {affinity: true, version: late, approve: -1,
			last: event.PhaseFailed, unsaid: []string{"(the canary had 20 %)", "(the canary had 10 %)"}},
	}
}

// affinity is a run of a version of the frontend under session affinity.
func affinity(t *testing.T, version string) cluster.RunSpec {
	t.Helper()
	spec := feature(t, "templates.yaml", "affinity.yaml")
	s := *spec.Scenario
	s.Services = slices.Clone(s.Services)
	withTestVersions(s.Service("frontend"))
	spec.Scenario, spec.Version = &s, version
	return spec
}

// Everything that is shown as the release's share of the traffic is what users were routed by: on
// the deck at any moment, in the track of the card, at the rollback, and in the narrative.
func TestShownShareIsWhatUsersGot(t *testing.T) {
	for name, c := range weightRuns() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := affinity(t, c.version)
			if !c.affinity {
				spec = withCanary(t, c.version, "", c.analysis)
			}
			s := *spec.Scenario
			s.Traffic.Rate.Constant = 60
			s.Timing = scenario.Timing{Baseline: 30 * time.Second, Horizon: 5 * time.Minute}
			spec.Scenario, spec.ApproveAfter = &s, c.approve
			events, _ := play(t, spec)
			if ps := phases(events); ps[len(ps)-1] != c.last {
				t.Fatalf("phases %v, want %s last", ps, c.last)
			}
			tl := timeline.Build(events)
			checkSteps(t, tl, events)
			checkDeck(t, tl, events)
			checkRollback(t, tl, events)
			text := ""
			for _, e := range narrative.Of(tl) {
				text += e.Text + "\n"
			}
			for _, want := range c.said {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			for _, wrong := range c.unsaid {
				if strings.Contains(text, wrong) {
					t.Errorf("%q is in\n%s", wrong, text)
				}
			}
		})
	}
}

// checkSteps compares each exposure of the track, from a few seconds after its start on, with the
// answers until the next.
func checkSteps(t *testing.T, tl *timeline.Timeline, events []event.Event) {
	t.Helper()
	const settle = 5 * time.Second
	for i, s := range tl.Steps {
		until := tl.Last.At
		if i+1 < len(tl.Steps) {
			until = tl.Steps[i+1].At
		} else if tl.Promoting.Happened() && s.Seq < tl.Promoting.Seq {
			until = tl.Promoting.At
		}
		from := s.At + settle
		if s.Matched {
			from = s.At // its exposure is the mean of the step
		}
		if tl.Promoting.Happened() && s.At < tl.Promoting.At {
			until = min(until, tl.Promoting.At)
		}
		released, all := onRelease(events, from, until)
		if got := tl.Exposure(i); all > 0 && !agrees(got, released, all) {
			t.Errorf("step %d at %v shows %d %%, but %d of %d requests were on the release until %v", i, s.At, got,
				released, all, until)
		}
	}
}

// checkDeck compares what the deck shows at every fifth second with the seconds around it.
func checkDeck(t *testing.T, tl *timeline.Timeline, events []event.Event) {
	t.Helper()
	rec := recording.FromEvents(events)
	changes := append([]timeline.RouteChange(nil), tl.Routes...)
	quiet := func(from, to time.Duration) bool {
		for _, c := range changes {
			if c.At > from-5*time.Second && c.At < to {
				return false
			}
		}
		// The primary gets the version pod by pod.
		return !tl.Promoting.Happened() || to < tl.Promoting.At || from > tl.Promoting.At+20*time.Second
	}
	compared, shares := 0, map[int]bool{}
	for at := tl.Released.At; at < tl.Last.At; at += 5 * time.Second {
		from := at - 10*time.Second
		if !quiet(from, at) {
			continue
		}
		released, all := onRelease(events, from, at)
		state := rec.At(at)
		compared++
		shares[state.Share] = true
		if !agrees(state.Share, released, all) {
			t.Errorf("at %v the deck shows %d %% (phase %s, status %d %%), but %d of %d requests were on the release",
				at, state.Share, state.Canary.Phase, state.Canary.Weight, released, all)
		}
	}
	if compared < 20 || len(shares) < 2 && tl.FirstCanary.Happened() {
		t.Errorf("%d moments with the shares %v were compared", compared, shares)
	}
}

// checkRollback compares the weight at the rollback with the last seconds before it.
func checkRollback(t *testing.T, tl *timeline.Timeline, events []event.Event) {
	t.Helper()
	if !tl.Abort.Happened() {
		return
	}
	released, all := onRelease(events, tl.Abort.At-20*time.Second, tl.Abort.At-time.Second)
	if !agrees(tl.WeightAtAbort, released, all) {
		t.Errorf("rolled back at %d %%, but %d of the last %d requests were on the release", tl.WeightAtAbort, released,
			all)
	}
	j := score.Judge(tl, scenario.Rubric{})
	want := fmt.Sprintf("rolled back at %d %% of the traffic", tl.WeightAtAbort)
	if j.Verdict == score.Caught && tl.FirstBad.Happened() && j.Reason != want {
		t.Errorf("the verdict says %q, want %q", j.Reason, want)
	}
}

// The rule of session affinity is not an experiment: the canary's share is compared with the weights,
// which it outgrows, and not with all requests of some cohort.
func TestSampleRatioOfSessionAffinity(t *testing.T) {
	spec := affinity(t, good)
	s := *spec.Scenario
	s.Traffic.Rate.Constant = 60
	s.Rubric = scenario.Rubric{Items: []scenario.RubricItem{{ID: "sample-ratio", Points: 10}}}
	spec.Scenario = &s
	events, _ := play(t, spec)
	card := score.Trial(&s, []score.RunResult{{Role: score.RoleHealthy, Timeline: timeline.Build(events)}})
	reason := card.Items[0].Reason
	if card.Points != 0 || !strings.Contains(reason, "of the requests of all users on the canary") ||
		strings.Contains(reason, "100 % configured") || !strings.Contains(reason, "session affinity keeps users") {
		t.Errorf("%d points: %s", card.Points, reason)
	}
}

// Attributes by which browsers drop the cookie, or send it to other paths only, leave session affinity
// without effect: the canary has its weight, no more.
func TestCookiesThatClientsDoNotSend(t *testing.T) {
	for name, set := range map[string]func(*flaggerv1.SessionAffinity){
		"another domain": func(s *flaggerv1.SessionAffinity) { s.Domain = "other.example" },
		"another path":   func(s *flaggerv1.SessionAffinity) { s.Path = "/admin" },
		"secure":         func(s *flaggerv1.SessionAffinity) { s.Secure = true },
	} {
		spec := affinity(t, good)
		s := *spec.Scenario
		s.Traffic.Rate.Constant = 60
		s.ColdProxies = false // the canary has its weight from the first
		s.Rubric = scenario.Rubric{Items: []scenario.RubricItem{{ID: "sample-ratio", Points: 10}}}
		spec.Scenario = &s
		set(spec.Guardrails.CanaryFor("frontend").Spec.Analysis.SessionAffinity)
		events, _ := play(t, spec)
		card := score.Trial(&s, []score.RunResult{{Role: score.RoleHealthy, Timeline: timeline.Build(events)}})
		if card.Points != 10 {
			t.Errorf("%s: %s", name, card.Items[0].Reason)
		}
	}
}
