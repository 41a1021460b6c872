package objective_test

import (
	"strings"
	"testing"
	"time"

	"coalmine/lab/verdict/objective"
	"coalmine/loadgen"
	"coalmine/loadgen/results"
)

// late adds requests that were sent late and took a time from then on.
func late(r *results.Results, n int, lag, took time.Duration) {
	requests(r, n, "v1", func(_ int, o *loadgen.Outcome) { o.Sent, o.Latency = lag, lag+took })
}

// A generator that reached a limit decides nothing.
func TestLimitsOfTheGenerator(t *testing.T) {
	local := func(r *results.Results) {
		requests(r, 1000, "v1", failFirst(500, 500))
		requests(r, 1, "", func(_ int, o *loadgen.Outcome) { o.Status, o.Failure = 0, loadgen.FailurePorts })
	}
	slow := func(r *results.Results) { late(r, 1000, 3*time.Second, 20*time.Millisecond) }
	for text, c := range map[string]struct {
		fill   func(*results.Results)
		reason string
	}{
		"errors<1%": {local, "errors are 50 % of 1 000 requests"},
		"errors<60%": {local, "undecided, because the generator could not send 1 attempt: no local " +
			"port was free"},
		"p99<1s": {slow, "p99 of 1 000 requests is 3"},
		"p99<5s": {slow, "undecided, because the generator sent a tenth of the requests 3s late or later: " +
			"this machine could not keep up"},
		"rate>=1":          {slow, "undecided"},
		"version=x p99<1s": {slow, "undecided"},
	} {
		r := newLedger(t)
		c.fill(r)
		if v := parse(t, text).Judge(r); v.State != objective.Inconclusive ||
			!strings.Contains(v.Sentence(), c.reason) {
			t.Errorf("%s: %s: %s\nwant inconclusive: %s", text, v.State, v.Sentence(), c.reason)
		}
	}
}

// Delays that are too small or too few for a limit are not the server's fault either.
func TestLagIsNotTheServers(t *testing.T) {
	const ms = time.Millisecond
	few := func(n int, lag, took time.Duration) func(*results.Results) {
		return func(r *results.Results) {
			requests(r, 1000-n, "v1", nil)
			late(r, n, lag, took)
		}
	}
	for name, c := range map[string]struct {
		text string
		fill func(*results.Results)
		want objective.State
	}{
		"slow because late":        {"p99<500ms", few(50, time.Second, 20*ms), objective.Inconclusive},
		"slow and late":            {"p99<500ms", few(50, time.Second, time.Second), objective.Violated},
		"slow and a little late":   {"p99<500ms", few(50, 20*ms, time.Second), objective.Violated},
		"just over, a little late": {"p99<500ms", few(50, 20*ms, 490*ms), objective.Inconclusive},
		"other requests were late": {"p99<500ms", func(r *results.Results) {
			few(9, 10*time.Second, 0)(r)
			late(r, 50, 0, time.Second)
		}, objective.Violated},
		"in time although late": {"p99<5s", few(50, time.Second, 20*ms), objective.Met},
		"max":                   {"max<500ms", few(1, time.Second, 20*ms), objective.Inconclusive},
		"max and late":          {"max<500ms", few(1, 20*ms, time.Second), objective.Violated},
		"mean":                  {"mean<50ms", few(50, time.Second, 20*ms), objective.Inconclusive},
		"mean and late":         {"mean<15ms", few(50, time.Second, 20*ms), objective.Violated},
		"too fast":              {"p50>500ms", few(50, time.Second, 20*ms), objective.Violated},
		"rate":                  {"rate>=17", few(50, 2*time.Second, 20*ms), objective.Inconclusive},
		"rate and late":         {"rate>=20", few(50, 2*time.Second, 20*ms), objective.Violated},
		"errors": {"errors<=0", func(r *results.Results) {
			few(50, time.Second, 0)(r)
			requests(r, 9, "v1", failFirst(9, 500))
		}, objective.Violated},
	} {
		r := newLedger(t)
		c.fill(r)
		if v := parse(t, c.text).Judge(r); v.State != c.want {
			t.Errorf("%s: %s is %s, want %s: %s", name, c.text, v.State, c.want, v.Sentence())
		}
	}
}

// Responses that are slow only because they were sent late are not bad.
func TestSlowByLag(t *testing.T) {
	p, err := loadgen.NewPlan(*workload(), 3, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		lag, took time.Duration
		want      objective.State
	}{{time.Second, 20 * time.Millisecond, objective.Inconclusive}, {0, time.Second, objective.Violated}} {
		r := results.New(results.Config{Plan: p, Slow: func(string) time.Duration { return 500 * time.Millisecond }})
		requests(r, 950, "v1", nil)
		late(r, 50, c.lag, c.took)
		for _, text := range []string{"bad<1%", "success>99%"} {
			if v := parse(t, text).Judge(r); v.State != c.want {
				t.Errorf("sent %v late: %s is %s, want %s: %s", c.lag, text, v.State, c.want, v.Sentence())
			}
		}
	}
}
