package loadtest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"coalmine/lab/input"
	"coalmine/lab/service"
	"coalmine/lab/verdict/objective"
	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
	"coalmine/loadgen/attack"
)

// Test is a load test that is ready to run.
type Test struct {
	source     *source
	options    Options
	plan       *loadgen.Plan
	shard      loadgen.Shard
	objectives []objective.Objective
	gauge      attack.Gauge
}

// New makes the plan of a scenario, a workload of the library or a workload file. The name may
// be a URL, or empty if the options name an access log or a URL. Errors of the user's input are of
// type [input.Error]. Pipes are read until ctx ends.
func New(ctx context.Context, name string, o Options) (*Test, error) {
	src, o, err := openSource(ctx, name, o)
	if err != nil {
		return nil, err
	}
	t := &Test{source: src, options: o}
	if t.shard, err = loadgen.ParseShard(o.Plan.Shard); err != nil {
		return nil, input.New("", "--%w", err)
	}
	if t.plan, err = loadgen.NewPlan(src.workload, o.Plan.Seed, src.duration); err != nil {
		return nil, input.New("", "%s: %w", src.name, err)
	}
	if d := t.plan.Duration(); o.WarmUp > 0 && o.WarmUp >= d {
		return nil, input.New("make --duration longer", "--warm-up is %v, and the test takes %v", o.WarmUp, d)
	}
	w := t.plan.Workload()
	for _, text := range o.Objectives {
		parsed, err := objective.Parse(text, &w)
		if err != nil {
			return nil, input.New("see coalmine load --help for an example", "--objective: %w", err)
		}
		t.objectives = append(t.objectives, parsed)
	}
	return t, nil
}

// Plan returns the plan of the test.
func (t *Test) Plan() *loadgen.Plan { return t.plan }

// BrokenLines returns the lines of the replayed log that could not be parsed, and the number of
// those that could.
func (t *Test) BrokenLines() (broken accesslog.Broken, parsed int) {
	if r := t.source.workload.Replay; r != nil {
		parsed = len(r.Lines)
	}
	return t.source.broken, parsed
}

// Notes returns what of the workload does not apply to the log that is replayed with it.
func (t *Test) Notes() []string {
	if !t.source.isMerged {
		return nil
	}
	var notes []string
	cohorts := t.plan.Cohorts()
	i := slices.IndexFunc(cohorts, func(c loadgen.Cohort) bool { return c.Match == nil })
	if i >= 0 && i < len(cohorts)-1 {
		var others []string
		for _, c := range cohorts[i+1:] {
			others = append(others, c.Name)
		}
		notes = append(notes, fmt.Sprintf("cohort %s has no match, so it takes every line that no cohort before it "+
			"matches; %s gets none", cohorts[i].Name, strings.Join(others, ", ")))
	}
	unknown := 0
	for _, l := range t.source.workload.Replay.Lines {
		if _, ok := t.source.router.Route(l.Method, l.Target); !ok {
			unknown++
		}
	}
	if n := len(t.source.workload.Replay.Lines); unknown > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d requests have no route in %s; they are reported as \"other\"",
			unknown, n, t.source.name))
	}
	return notes
}

// Expected returns the expected number of requests of the shard.
func (t *Test) Expected() float64 { return t.plan.Expected() / float64(max(t.shard.Count, 1)) }

// Targets returns the targets as the options, or the URL in place of a workload, name them.
func (t *Test) Targets() []string { return t.options.Target.URLs }

// Gauge counts the requests in flight while the test runs on real servers.
func (t *Test) Gauge() *attack.Gauge { return &t.gauge }

// RouteObjectives returns the service levels that the routes have to meet.
func (t *Test) RouteObjectives() []service.Objective { return t.source.objectives }
