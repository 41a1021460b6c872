package trial_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/lint"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// report is a set of guardrails of testdata/reports.txtar, and what has to come of it: how Flagger
// and Linkerd behave, and what the card and the linter say about it.
type report struct {
	// set is the name of the set; its scenario is in the archive, or in the library under the name
	// scenario.
	set, scenario string
	// refused is in the error of guardrails that are not played.
	refused string
	// lint are the rules that warn, sorted and without duplicates.
	lint string
	// version is the only version to play, or "" for none: the linter's warning is enough.
	version string
	// verdict and says are those of the run.
	verdict score.Verdict
	says    string
	// hurts reports whether the guardrails harm users of the healthy release.
	hurts bool
}

func reports() []report {
	const ab, full, hidden, mtls, tail = "ab-bounded", "full-rollout", "hidden-segment", "mtls-first", "tail-latency"
	const faulty, healthy = scenario.RoleFaulty, scenario.RoleHealthy
	return []report{
		// Flagger writes several headers of a match in the random order of a map.
		{set: "ab-two-headers", refused: "has 2 headers in one match"},
		{set: "ab-mixed", scenario: ab, refused: "has 2 headers in one match"},
		{set: "ab-lookahead", scenario: ab, refused: "write a regular expression in RE2 syntax"},
		// Flagger compares +Inf like any number: it is above every maximum.
		{set: "inf-quantile", scenario: tail, lint: "quantile-range", version: healthy, verdict: score.RolledBack},
		{set: "inf-compare", scenario: hidden, lint: "absent-until-failure"},
		// Traffic that ends leaves values for the length of the range.
		{set: "traffic-ends", lint: "stale-window"},
		// Routes, hosts and policies of the guardrails can be the outage.
		{set: "leftover-route", scenario: hidden, version: healthy, verdict: score.HurtUsers, hurts: true,
			says: "your guardrails made"},
		{set: "hosts", scenario: hidden, lint: "unmatched-host", version: healthy, verdict: score.RolledBack,
			hurts: true},
		{set: "svcmatch", scenario: hidden, version: healthy, verdict: score.RolledBack, hurts: true},
		// A policy for a route authorizes the route, and gateways get in.
		{set: "route-authz", scenario: mtls, lint: "no-probe-route", version: healthy, verdict: score.RolledBack},
		// Sticky sessions drain the primary; the cookie of the primary has no effect with this provider.
		{set: "affinity-drift", scenario: ab, lint: "weight-jump"},
		{set: "affinity-primary", scenario: ab, lint: "ignored-field weight-jump"},
		{set: "affinity-attrs", scenario: ab, lint: "weight-jump"},
		// The route stays at 100 % while a promotion waits, though Flagger's status says 0.
		{set: "wait-promotion", scenario: full, lint: "waiting-gate", version: healthy, verdict: score.Stuck},
		// Blue/Green has no canary traffic before its promotion.
		{set: "bluegreen", scenario: full, lint: "no-canary-traffic weight-jump", version: faulty,
			verdict: score.Starved, says: "rolled back after 0 canary requests"},
		{set: "bg-gate", scenario: full, lint: "nothing-can-fail weight-jump"},
		{set: "bg-confirm", scenario: full, lint: "no-canary-traffic waiting-gate weight-jump"},
		// Of two equal routes the older one holds, which is the learner's.
		{set: "tie-a", scenario: hidden, version: faulty, verdict: score.Starved,
			says: "rolled back after 0 canary requests"},
		// Linkerd drops a route with a filter that it does not support.
		{set: "rewrite", scenario: hidden, lint: "dropped-route", version: healthy, verdict: score.RolledBack},
		{set: "admission", scenario: hidden, refused: "only a single ServiceAccount may be set"},
		{set: "opaque", scenario: hidden, lint: "opaque-http", version: healthy, verdict: score.RolledBack},
		{set: "timeouts", scenario: hidden},
		// A rollback by the progress deadline is what the deadline is for.
		{set: "deadline", version: faulty, verdict: score.Caught, says: "progress deadline"},
		{set: "crashloop", version: faulty, verdict: score.Caught},
		{set: "hpa-herd", scenario: full},
		// The second control loop comes an interval after the first.
		{set: "long-interval", scenario: hidden, lint: "short-horizon slow-rollback", version: healthy,
			verdict: score.Stuck, says: "not delivered by the horizon"},
		{set: "error-rate-absent", scenario: mtls, lint: "absent-until-failure", version: healthy,
			verdict: score.RolledBack},
		{set: "cti-restart", scenario: hidden, lint: "waiting-gate"},
		// Steps of 30 up to 50 are 30 and 60: two checks.
		{set: "steps-odd", scenario: hidden, version: healthy, verdict: score.Unmeasured, says: "after 2 checks"},
		{set: "ab-confirm", scenario: ab, lint: "waiting-gate"},
		{set: "hooks", scenario: hidden},
		{set: "abort-hook", scenario: hidden},
		{set: "skip", scenario: hidden, lint: "skip-analysis"},
		{set: "suspend", scenario: hidden, lint: "suspended"},
		{set: "tutorial", scenario: full, version: healthy, verdict: score.Promoted},
	}
}

// What people report of Flagger and Linkerd happens here as well, and is judged and explained.
func TestReports(t *testing.T) {
	all := sets(t, "testdata/reports.txtar")
	arenas := map[string]*arena{}
	for _, r := range reports() {
		files := all[r.set]
		delete(all, r.set)
		a := arenas[r.scenario]
		if a == nil {
			a = arenaOf(t, r, files)
			arenas[r.scenario] = a
		}
		if r.scenario == "" {
			delete(arenas, "")
		}
		delete(files, scenario.FileScenario)
		t.Run(r.set, func(t *testing.T) {
			t.Parallel()
			r.check(t, a, files)
		})
	}
	for set := range all {
		t.Errorf("%s is in no row of the table", set)
	}
}

// arenaOf returns the arena of a report, whose scenario may be among its files.
func arenaOf(t *testing.T, r report, files map[string][]byte) *arena {
	t.Helper()
	if r.scenario != "" {
		a := newArena(t, r.scenario)
		a.scenario.ColdProxies = false // the late canary has tests of its own; these are about the guardrails
		return a
	}
	fsys := fstest.MapFS{scenario.FileScenario: {Data: files[scenario.FileScenario]}}
	s, err := scenario.Load(fsys, ".")
	if err != nil {
		t.Fatalf("%s: %v", r.set, err)
	}
	s.ColdProxies = false
	return &arena{scenario: s, unguarded: map[uint64]*timeline.Timeline{}}
}

func (r report) check(t *testing.T, a *arena, files map[string][]byte) {
	t.Helper()
	set, err := guardrail.Parse(files, guardrail.EnvironmentOf(a.scenario))
	if err != nil || r.refused != "" {
		if err == nil || r.refused == "" || !strings.Contains(err.Error(), r.refused) {
			t.Errorf("the guardrails are refused with %v, want %q", err, r.refused)
		}
		return
	}
	if got := warnings(set); got != r.lint {
		t.Errorf("warnings %q, want %q", got, r.lint)
	}
	if r.version == "" {
		return
	}
	run := a.card(t, set, 1, score.Role(r.version)).Runs[0]
	if run.Verdict != r.verdict || !strings.Contains(run.Reason, r.says) {
		t.Errorf("%s: %s; want %s, %q", run.Verdict, run.Reason, r.verdict, r.says)
	}
	if (run.ByGuardrails > 0) != r.hurts {
		t.Errorf("the guardrails made %d requests bad, want some: %v", run.ByGuardrails, r.hurts)
	}
}

// warnings lists the rules that warn, sorted and without duplicates.
func warnings(set *guardrail.Set) string {
	rules := map[string]bool{}
	for _, f := range lint.Check(set) {
		rules[f.Rule] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(rules)), " ")
}
