package score_test

import (
	"slices"
	"testing"

	"coalmine/lab/event"
	"coalmine/lab/verdict/score"
	script "coalmine/lab/verdict/timelinetest"
)

func TestBasis(t *testing.T) {
	none := func(*script.Script) {}
	left := event.LeftOut{What: event.LeftOutCheck, Name: "p99", Canary: script.Service, Reason: "no network"}
	for name, c := range map[string]struct {
		add  func(*script.Script)
		want []string
	}{
		"everything was played": {none, nil},
		"of another Canary": {func(s *script.Script) {
			other := left
			other.Canary = "other"
			s.Add(other)
		}, nil},
		"a check": {func(s *script.Script) { s.Add(left) }, []string{
			"Not played: check p99: no network.",
			"The verdict rests on the metrics a and b, and on the gate volume."}},
		"a load tester that is not seen": {func(s *script.Script) {
			s.Add(event.LoadTester{Canary: "other", Webhook: "elsewhere"})
			s.Add(event.LoadTester{Canary: script.Service, Webhook: "load"})
			s.Add(event.LoadTester{Canary: script.Service, Webhook: "person"})
		}, []string{
			"Flagger's load tester answered the webhooks load and person: its answers are not recorded. What it sent " +
				"is not counted as users' requests; metrics of the canary cover both.",
			"The verdict rests on the metrics a and b, and on the gate volume, and on what the load tester answered " +
				"to load and person."}},
	} {
		s := script.New("faulty", 1, true)
		s.Add(event.Applied{ObjectKind: "Canary", Name: script.Service, Owner: event.OwnerLearner,
			Metrics: []string{"a", "b"}})
		c.add(s)
		s.Canary(event.PhaseInitialized, 0, 0).Release().Gate(event.GateVolume, true)
		runs := []score.RunResult{run(score.RoleFaulty, s), run(score.RoleHealthy, script.New("healthy", 1, true))}
		card := score.Evaluate(all(), runs)
		if got := card.Basis.Remarks(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestBasisWithoutChecks(t *testing.T) {
	b := &score.Basis{LeftOut: []score.LeftOut{{What: event.LeftOutCheck, Name: "p99", Reason: "no network"}}}
	if got := b.Remarks()[1]; got != "The verdict rests on no metric and no gate." {
		t.Errorf("got %q", got)
	}
}
