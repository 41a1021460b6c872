package attack_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
	"coalmine/loadgen/attack"
)

func TestInvalidSettings(t *testing.T) {
	leakFree(t)
	p := newPlan(t, one(10, "GET"), time.Second)
	good := func() attack.Attack { return attack.Attack{Plan: p, Targets: at(t, p, "http://127.0.0.1:1")} }
	for want, spoil := range map[string]func(a *attack.Attack){
		"no plan":                  func(a *attack.Attack) { a.Plan = nil },
		"0 targets for 1 routes":   func(a *attack.Attack) { a.Targets = nil },
		`route "home": is missing`: func(a *attack.Attack) { a.Targets = []*url.URL{nil} },
		"http:// or https://":      func(a *attack.Attack) { a.Targets[0] = &url.URL{Scheme: "ftp", Host: "x"} },
		"has no host":              func(a *attack.Attack) { a.Targets[0] = &url.URL{Scheme: "http", Host: ":80"} },
		"remove query": func(a *attack.Attack) {
			a.Targets[0] = &url.URL{Scheme: "http", Host: "x", Fragment: "y"}
		},
		"-1 workers":  func(a *attack.Attack) { a.Workers = -1 },
		"timeout -1s": func(a *attack.Attack) { a.Timeout = -time.Second },
	} {
		a := good()
		spoil(&a)
		report, err := a.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "attack: ") {
			t.Errorf("error %v, without %q", err, want)
		}
		if !report.Start.IsZero() {
			t.Errorf("%s: the attack has begun", want)
		}
	}
}

func TestDefaults(t *testing.T) {
	steps := loadgen.Curve{Steps: []loadgen.Step{{At: 0, Rate: 10}, {At: 5 * time.Second, Rate: 2000},
		{At: 6 * time.Second, Rate: 10}}}
	for name, test := range map[string]struct {
		curve                loadgen.Curve
		bursts               *loadgen.Bursts
		set                  attack.Attack
		workers, connections int
	}{
		"slow":     {curve: loadgen.Curve{Constant: 1}, workers: 4096, connections: 1},
		"constant": {curve: loadgen.Curve{Constant: 200}, workers: 6000, connections: 10},
		"short timeout": {curve: loadgen.Curve{Constant: 1000}, set: attack.Attack{Timeout: 5 * time.Second},
			workers: 5000, connections: 50},
		"fast": {curve: loadgen.Curve{Constant: 1e6}, workers: 16384, connections: 256},
		"peak": {curve: steps, workers: 16384, connections: 100},
		"shard": {curve: steps, set: attack.Attack{Shard: loadgen.Shard{Index: 2, Count: 4}},
			workers: 15000, connections: 25},
		"bursts": {curve: loadgen.Curve{Constant: 100},
			bursts: &loadgen.Bursts{Factor: 4, Calm: 1e9, Burst: 1e9}, workers: 12000, connections: 20},
		"given":             {curve: steps, set: attack.Attack{Workers: 7, Connections: 3}, workers: 7, connections: 3},
		"more than workers": {curve: steps, set: attack.Attack{Workers: 7}, workers: 7, connections: 7},
		"none":              {curve: steps, set: attack.Attack{Connections: -1}, workers: 16384, connections: 0},
	} {
		w := one(1, "GET")
		w.Rate, w.Bursts = test.curve, test.bursts
		test.set.Plan = newPlan(t, w, 10*time.Second)
		workers, connections := attack.Defaults(test.set)
		if workers != test.workers || connections != test.connections {
			t.Errorf("%s: %d workers and %d connections, not %d and %d", name, workers, connections, test.workers,
				test.connections)
		}
	}
}

// TestPeakOfALog replays a log of one request per second with 400 requests in its last second.
func TestPeakOfALog(t *testing.T) {
	start := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	var lines []accesslog.Line
	for i := range 430 {
		lines = append(lines, accesslog.Line{Number: i + 1, At: start.Add(time.Duration(min(i, 29)) * time.Second),
			Method: "GET", Target: "/"})
	}
	w := one(1, "GET")
	w.Rate, w.Replay = loadgen.Curve{}, &loadgen.Replay{Log: "log", Lines: lines}
	w.Cohorts = []loadgen.Cohort{{Name: "all"}}
	workers, connections := attack.Defaults(attack.Attack{Plan: newPlan(t, w, 30*time.Second)})
	if workers != 12030 || connections != 21 {
		t.Errorf("%d workers and %d connections for a peak of 401 per second", workers, connections)
	}
}
