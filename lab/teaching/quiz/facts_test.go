package quiz_test

import (
	"testing"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/quiz"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
	"coalmine/lab/verdict/timelinetest"
)

func result(role score.Role, s *timelinetest.Script) score.RunResult {
	return score.RunResult{Name: string(role) + "-1", Role: role, Timeline: timeline.Build(s.Events())}
}

// TestFacts compares the facts of a run with the timeline that they come from.
func TestFacts(t *testing.T) {
	s := &scenario.Scenario{Rubric: scenario.Rubric{MinCanaryRequests: 50}}
	faulty, unguarded := result(score.RoleFaulty, timelinetest.RolledBack(1)), result(score.RoleUnguarded,
		timelinetest.Unguarded(1))
	runs := []score.RunResult{unguarded, result(score.RoleHealthy, timelinetest.Promoted("healthy", 1)), faulty}
	f := quiz.Facts(s, runs, &score.Card{Points: 7, MaxPoints: 10})
	tl := faulty.Timeline
	r := f.Run
	if !r.Played || r.Name != "faulty-1" || !r.RolledBack || !r.HurtUsers || !r.Caught || r.Promoted {
		t.Errorf("the run is %+v", r)
	}
	if r.WeightAtAbort != tl.WeightAtAbort || r.MTTD != tl.Detected.Since(tl.FirstBad) || r.Harm != tl.Sum(nil).Harm {
		t.Errorf("weight %d, MTTD %v, harm %d", r.WeightAtAbort, r.MTTD, r.Harm)
	}
	if r.Cohorts[0].Name != "premium" || r.Cohorts[0].Harm != r.Harm || r.Cohorts[1].Harm != 0 {
		t.Errorf("the cohorts are %+v", r.Cohorts)
	}
	if with := r.MTTDWith(10*time.Second, 99); with < 0 || with > r.AbortedAt {
		t.Errorf("a check of ten seconds notices after %v", with)
	}
	if !f.Unguarded.Played || f.Unguarded.Harm <= r.Harm || !f.Healthy.Promoted || f.Healthy.HurtUsers ||
		f.Reference.Played || f.Trial.Points != 7 {
		t.Errorf("the other runs are %+v %+v %+v %+v", f.Unguarded, f.Healthy, f.Reference, f.Trial)
	}
	cut := faulty
	cut.Timeline = timeline.Build(withoutEnd(timelinetest.RolledBack(1).Events()))
	if f := quiz.Facts(s, []score.RunResult{cut, unguarded}, nil); f.Run.Played || f.Unguarded.Played {
		t.Errorf("a run that was cut off has facts: %+v", f.Run)
	}
}

func withoutEnd(all []event.Event) []event.Event {
	for i, e := range all {
		if _, ends := e.Fact.(event.RunEnded); ends {
			return all[:i]
		}
	}
	return all
}
