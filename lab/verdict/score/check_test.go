package score_test

import (
	"slices"
	"strings"
	"testing"

	"coalmine/lab/verdict/score"
)

// checked returns n results of check seeds, of which the first ones missed.
func checked(n, missed int) []score.CheckSeed {
	var all []score.CheckSeed
	for i := range n {
		k := score.CheckSeed{Seed: uint64(100 + i), Outcome: score.OutcomePassed, Points: 100, Reason: "all well"}
		if i < missed {
			k = score.CheckSeed{Seed: uint64(100 + i), Outcome: score.OutcomeMissed, Exit: score.ExitMissed,
				Points: 20 - i, Reason: "promoted"}
		}
		all = append(all, k)
	}
	return all
}

func TestConfirm(t *testing.T) {
	card := func(exit int) score.Card {
		return score.Card{Exit: exit, Outcome: score.OutcomePassed, Reason: "3 of 3 caught", Points: 100,
			MaxPoints: 100}
	}
	for name, c := range map[string]struct {
		card    score.Card
		check   score.Check
		exit    int
		points  int
		says    string
		worst   uint64
		settled bool
	}{
		"all pass": {card(0), score.Check{Practice: 3, Planned: 20, Seeds: checked(20, 0)}, score.ExitPassed, 100,
			"passed on 3 practice seeds, 20 of 20 check seeds (95 % interval 83 % to 100 %): 3 of 3 caught", 0, true},
		"two of twenty miss": {card(0), score.Check{Practice: 3, Planned: 20, Seeds: checked(20, 2)},
			score.ExitPassed, 100, "passed on 3 practice seeds, 18 of 20 check seeds (95 % interval 68 % to 98.8 %)",
			101, true},
		"three of twenty miss": {card(0), score.Check{Practice: 1, Planned: 20, Seeds: checked(20, 3)},
			score.ExitMissed, 50, "passed on 1 practice seed, but only 17 of 20 check seeds " +
				"(95 % interval 62 % to 96.8 %), of which 18 have to pass; the worst is 102: promoted", 102, false},
		"one of nine misses": {card(0), score.Check{Practice: 1, Planned: 9, Seeds: checked(9, 1)},
			score.ExitMissed, 50, "of which 9 have to pass", 100, false},
		"none were asked for": {card(0), score.Check{Practice: 3}, score.ExitPassed, 100,
			"passed on 3 practice seeds, without check seeds: 3 of 3 caught", 0, false},
		"they were not played": {card(0), score.Check{Practice: 3, Planned: 20}, score.ExitInconclusive, 100,
			"passed on 3 practice seeds, but 20 check seeds were not played to the end", 0, false},
		"one is undecided and decides": {card(0), score.Check{Practice: 1, Planned: 2, Seeds: append(checked(1, 0),
			score.CheckSeed{Seed: 9, Exit: score.ExitLabFailed, Outcome: score.OutcomeLabFailed, Reason: "no pods"})},
			score.ExitInconclusive, 100, "but 1 check seed was without a result, which can decide it; the first is " +
				"9: no pods", 0, false},
		"one is undecided and does not": {card(0), score.Check{Practice: 1, Planned: 2, Seeds: append(checked(1, 1),
			score.CheckSeed{Seed: 9, Exit: score.ExitInconclusive})}, score.ExitMissed, 50,
			"the worst is 100: promoted", 100, false},
		"enough pass without the undecided": {card(0), score.Check{Practice: 1, Planned: 10,
			Seeds: append(checked(9, 0), score.CheckSeed{Seed: 9, Exit: score.ExitLabFailed})}, score.ExitPassed, 100,
			"9 of 10 check seeds", 0, true},
		"no pass to confirm": {card(score.ExitMissed), score.Check{Practice: 3, Planned: 20}, score.ExitMissed, 100,
			"3 of 3 caught", 0, false},
	} {
		got := c.card
		got.Confirm(c.check)
		if got.Exit != c.exit || got.Points != c.points || !strings.Contains(got.Reason, c.says) {
			t.Errorf("%s: exit code %d, %d points, %q; want %d, %d and %q", name, got.Exit, got.Points, got.Reason,
				c.exit, c.points, c.says)
		}
		if got.Check == nil {
			if name != "no pass to confirm" {
				t.Errorf("%s: no check on the card", name)
			}
			continue
		}
		worst := uint64(0)
		if w := got.Check.Worst; w != nil {
			worst = w.Seed
		}
		if worst != c.worst || got.Check.Confirmed() != c.settled {
			t.Errorf("%s: the worst is %d, confirmed %v", name, worst, got.Check.Confirmed())
		}
		if limited := got.Points < c.card.Points; got.Limited != limited {
			t.Errorf("%s: limited is %v", name, got.Limited)
		}
	}
}

// Of seeds with equal points, the worst is the one that let most harm through, whatever their order.
func TestWorstCheckSeed(t *testing.T) {
	little, much := 0.2, 0.9
	seeds := []score.CheckSeed{{Seed: 1, Exit: 3, Points: 10, GotThrough: &little, Reason: "a"},
		{Seed: 2, Exit: 3, Points: 10, GotThrough: &much, Reason: "b"}, {Seed: 3, Exit: 3, Points: 20, Reason: "c"}}
	for range 2 {
		slices.Reverse(seeds)
		c := score.Card{MaxPoints: 100}
		c.Confirm(score.Check{Planned: 3, Seeds: seeds})
		if c.Check.Worst.Seed != 2 {
			t.Errorf("the worst is %d", c.Check.Worst.Seed)
		}
	}
}

func TestDrawnText(t *testing.T) {
	if got := score.DrawnText(map[string]float64{"onset of b": 2, "fault-share of a": 0.0333}); got !=
		"fault-share of a 0.0333, onset of b 2" {
		t.Error(got)
	}
	if got := score.DrawnText(nil); got != "no parameters" {
		t.Error(got)
	}
}
