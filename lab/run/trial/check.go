package trial

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/input/digest"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// CheckRun is one of the runs that a check seed is judged by.
type CheckRun struct {
	Role score.Role
	Spec cluster.RunSpec
}

// CheckRuns are the runs of a check seed: faulty, healthy and unguarded, with parameters that the
// seed draws. Of a spec, scenario, guardrails and approval are used.
func CheckRuns(spec cluster.RunSpec, seed uint64) []CheckRun {
	s := spec.Scenario.Draw(seed)
	spec.Scenario, spec.Seed = s, seed
	faulty, healthy, unguarded := spec, spec, spec
	faulty.Version, healthy.Version, unguarded.Version = s.Release.Faulty, s.Release.Healthy, s.Release.Faulty
	unguarded.Guardrails = nil
	return []CheckRun{{score.RoleFaulty, faulty}, {score.RoleHealthy, healthy}, {score.RoleUnguarded, unguarded}}
}

// CheckSeeds returns the seeds of the check, none for a trial without check seeds.
func (t *Trial) CheckSeeds() []uint64 {
	o := t.Manifest.Options
	return folder.CheckSeeds(t.source.Scenario.Digest(), digest.Files(t.Guardrails), folder.Seeds(t.Runs), o.Nonce,
		o.CheckSeeds)
}

// PlayCheck plays the check seeds, up to workers runs at the same time, and calls done after each
// seed, from several goroutines. It plays all of them, even if enough have missed already, so that
// the count means the same for everyone.
func (t *Trial) PlayCheck(ctx context.Context, player run.Player, workers int, done func(folder.CheckSeed)) (
	[]folder.CheckSeed, error) {
	spec := t.Specs[0]
	spec.Scenario = t.source.Scenario
	return Check(ctx, spec, t.CheckSeeds(), player, workers, done)
}

// Check plays seeds as check seeds and returns their results in the same order. Of a spec,
// scenario, guardrails and approval are used.
func Check(ctx context.Context, spec cluster.RunSpec, seeds []uint64, player run.Player, workers int,
	done func(folder.CheckSeed)) ([]folder.CheckSeed, error) {
	c := &checker{scenario: spec.Scenario, done: done, seeds: make([]checkedSeed, len(seeds))}
	var specs []cluster.RunSpec
	for i, seed := range seeds {
		for _, r := range CheckRuns(spec, seed) {
			c.runs = append(c.runs, checkedRun{CheckRun: r, seed: i})
			specs = append(specs, r.Spec)
		}
	}
	if err := run.PlayAll(ctx, player, specs, workers, c.open); err != nil {
		return nil, err
	}
	results := make([]folder.CheckSeed, len(seeds))
	for i := range c.seeds {
		results[i] = c.seeds[i].result
	}
	return results, nil
}

// checker plays check seeds.
type checker struct {
	scenario *scenario.Scenario
	runs     []checkedRun
	done     func(folder.CheckSeed)

	mu    sync.Mutex
	seeds []checkedSeed
}

type checkedRun struct {
	CheckRun
	seed int // index of its seed
}

// checkedSeed collects the runs of one seed.
type checkedSeed struct {
	runs   []score.RunResult
	logs   map[string]string
	result folder.CheckSeed
}

// open returns the log of a run, which keeps its timeline and its digest only.
func (c *checker) open(i int) (run.Log, error) {
	sum := sha256.New()
	return &checkLog{Writer: event.NewWriter(sum), timeline: new(timeline.Timeline), sum: sum, checker: c,
		run: c.runs[i]}, nil
}

type checkLog struct {
	*event.Writer
	timeline *timeline.Timeline
	sum      hash.Hash
	checker  *checker
	run      checkedRun
}

// Write implements [run.Log].
func (l *checkLog) Write(e event.Event) {
	l.Writer.Write(e)
	l.timeline.Fold(e)
}

// Close implements [run.Log].
func (l *checkLog) Close() error {
	err := l.Writer.Close()
	l.checker.add(l.run, l.timeline, hex.EncodeToString(l.sum.Sum(nil)))
	return err
}

// add adds a run to its seed, and judges the seed after its last run.
func (c *checker) add(r checkedRun, t *timeline.Timeline, sum string) {
	c.mu.Lock()
	s := &c.seeds[r.seed]
	if s.logs == nil {
		s.logs = map[string]string{}
	}
	seed := r.Spec.Seed
	name := folder.Run{Role: string(r.Role), Seed: seed}.Name()
	s.runs = append(s.runs, score.RunResult{Name: name, Role: r.Role, Timeline: t})
	s.logs[string(r.Role)] = sum
	last := len(s.runs) == checkRunsPerSeed
	c.mu.Unlock()
	if !last {
		return
	}
	k := score.CheckOf(seed, t.Run.Drawn, score.Trial(c.scenario, s.runs))
	s.result = folder.CheckSeed{Seed: k.Seed, Exit: k.Exit, Outcome: k.Outcome, Reason: k.Reason, Points: k.Points,
		GotThrough: k.GotThrough, Drawn: k.Drawn, Logs: s.logs}
	s.runs = nil
	if c.done != nil {
		c.done(s.result)
	}
}

// checkRunsPerSeed is the number of runs that [CheckRuns] returns.
const checkRunsPerSeed = 3
