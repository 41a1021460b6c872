package main

import (
	"context"
	"fmt"

	"coalmine/cmd/internal/podcmd"
	"coalmine/lab/cluster/sim"
	"coalmine/loadgen"
	"coalmine/loadgen/attack"
)

// simulated plays the plan against the modelled services of the job's scenario, in virtual time.
func (j *loadJob) simulated(f loadFlags) (executor, error) {
	s := j.scenario
	switch {
	case s == nil:
		return nil, invalid("name a scenario, or send to real servers", "--target sim: %s has no services that could be modelled", j.name)
	case f.results != "":
		return nil, invalid("leave it out, or send to real servers", "--results: vegeta has no part in virtual time")
	}
	versions := map[string]string{}
	if f.version != "" {
		version, err := podcmd.FindVersion(s, s.Released(), f.version)
		if err != nil {
			return nil, err
		}
		versions[s.Release.Service] = version
	}
	return func(ctx context.Context, to sink) (attack.Report, error) {
		r, err := sim.Load{
			Scenario: s, Plan: j.plan, Shard: j.shard, Versions: versions,
			OnAttempt: func(o *loadgen.Outcome) { to.done(o) },
		}.Run(ctx)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("virtual load: %w", err)
		}
		return attack.Report{Elapsed: r.Elapsed, Arrivals: r.Arrivals, Attempts: r.Attempts}, err
	}, nil
}
