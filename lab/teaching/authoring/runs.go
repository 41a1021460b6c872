package authoring

import (
	"context"
	"fmt"
	"math"

	"coalmine/lab/cluster"
	"coalmine/lab/format"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/stats"
)

// Checks that play runs.
const (
	checkSolution = "solution"
	checkNaive    = "naive"
	checkStarter  = "starter"
	checkIncident = "incident"
)

// starterSeeds is how many seeds the starter is tried on.
const starterSeeds = 3

// confidence of the interval of the share of seeds that pass.
const confidence = 0.95

// tally is what seeds came to under one variant.
type tally struct {
	seeds, passed int
	least, most   int     // points
	through       float64 // the greatest share of the harm that got through
	// compared counts the seeds with harm to compare with.
	compared int
	// first is the first seed that missed, nil if none did; lucky the first that passed.
	first, lucky *folder.CheckSeed
	lab          string // why the lab failed, or ""
}

func newTally(results []folder.CheckSeed) tally {
	t := tally{seeds: len(results), least: math.MaxInt}
	for i, r := range results {
		t.least, t.most = min(t.least, r.Points), max(t.most, r.Points)
		switch {
		case r.Exit == score.ExitPassed:
			t.passed++
			if t.lucky == nil {
				t.lucky = &results[i]
			}
		case t.first == nil:
			t.first = &results[i]
		}
		if r.Exit == score.ExitLabFailed && t.lab == "" {
			t.lab = r.Reason
		}
		if r.GotThrough != nil {
			t.compared++
			t.through = max(t.through, *r.GotThrough)
		}
	}
	return t
}

// interval is the 95 % interval of the share of seeds that pass.
func (t tally) interval() string {
	i := stats.ClopperPearson(t.passed, t.seeds, confidence)
	return fmt.Sprintf("95 %% interval %s to %s", format.Percent(i.Low), format.Percent(i.High))
}

// runs plays the variants on check seeds.
func (c *checker) runs(ctx context.Context, o Options) error {
	if o.Seeds == 0 {
		for _, check := range []string{checkIncident, checkSolution, checkNaive, checkStarter} {
			c.add(check, Skipped, "", "no seed was played, so nothing is proven")
		}
		return nil
	}
	solution, err := c.play(ctx, scenario.Solution, o.Seeds, o)
	if err != nil {
		return err
	}
	bad, err := c.play(ctx, naive, o.Seeds, o)
	if err != nil {
		return err
	}
	start, err := c.play(ctx, scenario.Starter, min(o.Seeds, starterSeeds), o)
	if err != nil {
		return err
	}
	for _, t := range []tally{solution, bad, start} {
		if t.lab != "" {
			return fmt.Errorf("play the scenario: %s", t.lab)
		}
	}
	c.incident(solution)
	c.solution(solution, bad, o)
	c.naive(solution, bad, o)
	c.starter(start)
	return nil
}

// play plays a variant. The seeds are the same each time, so that a change of the scenario can be
// compared with the last one.
func (c *checker) play(ctx context.Context, variant string, n int, o Options) (tally, error) {
	set, err := c.load(ctx, variant)
	if err != nil {
		return tally{}, err
	}
	spec := cluster.RunSpec{Scenario: c.src.Scenario, Guardrails: set, ApproveAfter: -1}
	seeds := folder.CheckSeeds(c.src.Scenario.Name, "", nil, "authoring", n)
	results, err := trial.Check(ctx, spec, seeds, o.Player, o.Workers, nil)
	return newTally(results), err
}

// incident checks that there is one: without guardrails, the faulty version hurts users.
func (c *checker) incident(t tally) {
	c.expect(checkIncident, fmt.Sprintf("without guardrails the faulty version hurts users on %d of %d seeds",
		t.compared, t.seeds),
		problem{t.compared < t.seeds, fmt.Sprintf("without guardrails the faulty version hurts nobody on %d of %d "+
			"seeds", t.seeds-t.compared, t.seeds), "make the fault hit more, or the objectives stricter"})
}

func (c *checker) solution(t, bad tally, o Options) {
	fine := fmt.Sprintf("passes on %d of %d seeds (%s) with %d to %d points, and at most %s of the harm gets through",
		t.passed, t.seeds, t.interval(), t.least, t.most, format.Percent(t.through))
	missed := problem{}
	if t.first != nil {
		missed = problem{true, fmt.Sprintf("passes on %d of %d seeds: %s", t.passed, t.seeds, c.drawn(t.first)),
			"mend it, or narrow the ranges of vary; play the seed with: " + c.command(scenario.Solution, t.first)}
	}
	c.expect(checkSolution, fine, missed)
}

func (c *checker) naive(solution, t tally, o Options) {
	margin := solution.least - t.most
	fine := fmt.Sprintf("misses on %d of %d seeds with %d points at most: a margin of %d points to the solution",
		t.seeds-t.passed, t.seeds, t.most, margin)
	lucky := problem{}
	if t.lucky != nil {
		lucky = problem{true, fmt.Sprintf("passes on %d of %d seeds: %s", t.passed, t.seeds, c.drawn(t.lucky)),
			"nobody learns from it then; play the seed with: " + c.command(naive, t.lucky)}
	}
	c.expect(checkNaive, fine, lucky, problem{margin < o.Margin, fmt.Sprintf("has %d points at most, %d fewer than "+
		"the solution at least", t.most, margin), fmt.Sprintf("shift points to what it misses, until the margin is %d",
		o.Margin)})
}

func (c *checker) starter(t tally) {
	c.expect(checkStarter, fmt.Sprintf("does not pass as it is on any of %d seeds", t.seeds),
		problem{t.passed > 0, fmt.Sprintf("passes as it is on %d of %d seeds", t.passed, t.seeds),
			"take the answer out of it"})
}

// drawn describes a seed.
func (c *checker) drawn(s *folder.CheckSeed) string {
	text := fmt.Sprintf("seed %d", s.Seed)
	if len(s.Drawn) > 0 {
		text += ", which drew " + score.DrawnText(s.Drawn)
	}
	return text + ", " + s.Reason
}

func (c *checker) command(variant string, s *folder.CheckSeed) string {
	return fmt.Sprintf("coalmine run %s --guardrails %s --seed %d --drawn", c.dir, variant, s.Seed)
}
