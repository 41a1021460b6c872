package trial

import (
	"time"

	"coalmine/lab/verdict/score"
)

// setUpTime is what a run on a real cluster takes before its traffic starts: services and traffic pods
// are made again, and Flagger initializes the canary.
const setUpTime = 2 * time.Minute

// RealTime is about how long a trial takes on a real cluster, which plays one run after the other.
type RealTime struct {
	// Run is the time of one run, Practice that of the trial's own.
	Run, Practice time.Duration
	// CheckSeed is the time of each check seed, which has CheckRuns runs, and Check that of all.
	CheckSeed, Check time.Duration
	CheckRuns        int
}

// RealTime estimates how long the trial takes on a real cluster. With compared, the runs that the
// guardrails are compared with are played there too, and else in no time worth counting.
func (t *Trial) RealTime(compared bool) RealTime {
	timing := t.source.Scenario.Timing
	e := RealTime{Run: setUpTime + timing.Baseline + timing.Horizon}
	real := func(r score.Role) bool { return compared || r != score.RoleUnguarded && r != score.RoleReference }
	for _, r := range t.Runs {
		if real(score.Role(r.Role)) {
			e.Practice += e.Run
		}
	}
	for _, r := range CheckRuns(t.Specs[0], 0) {
		if real(r.Role) {
			e.CheckRuns++
		}
	}
	e.CheckSeed = time.Duration(e.CheckRuns) * e.Run
	e.Check = time.Duration(t.Manifest.Options.CheckSeeds) * e.CheckSeed
	return e
}
