package score

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/verdict/stats"
)

// Check says what came of the check seeds: seeds that nobody chose, which are played after a pass,
// each with parameters that it draws. Guardrails that only fit the seeds that they were tried on
// fail there.
type Check struct {
	// Practice counts the trial's own seeds, Planned the check seeds that were asked for.
	Practice int `json:"practice_seeds"`
	Planned  int `json:"check_seeds"`
	// Passed of the check seeds passed, and Required of them have to.
	Passed   int `json:"passed"`
	Required int `json:"required"`
	// Undecided counts those that say nothing, because the lab failed or the run has no result.
	Undecided int `json:"undecided,omitempty"`
	// Low and High are the 95 % interval of the share that passes (Clopper and Pearson).
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Nonce is what the seeds were drawn by. Given is set if it was not drawn at random.
	Nonce string `json:"nonce,omitempty"`
	Given bool   `json:"nonce_given,omitempty"`
	// Worst is the check seed that missed most; nil if all passed.
	Worst *CheckSeed `json:"worst,omitempty"`
	// Seeds are those that were played.
	Seeds []CheckSeed `json:"seeds,omitempty"`
}

// CheckSeed is the card of one check seed, in short.
type CheckSeed struct {
	Seed    uint64 `json:"seed"`
	Outcome string `json:"outcome"`
	Exit    int    `json:"exit"`
	Reason  string `json:"reason"`
	Points  int    `json:"points"`
	// GotThrough is the share of the harm without guardrails that got through.
	GotThrough *float64 `json:"got_through,omitempty"`
	// Drawn are the parameters that the seed drew, by name.
	Drawn map[string]float64 `json:"drawn,omitempty"`
}

// requiredCheckSeeds is how many of n check seeds have to pass: nine in ten, rounded up.
func requiredCheckSeeds(n int) int { return n - n/10 }

// CheckOf returns the result of a check seed, of the trial of which c is the card.
func CheckOf(seed uint64, drawn map[string]float64, c Card) CheckSeed {
	k := CheckSeed{Seed: seed, Outcome: c.Outcome, Exit: c.Exit, Reason: c.Reason, Points: c.Points, Drawn: drawn}
	if a := c.Harm.Avoided; a != nil {
		through := 1 - *a
		k.GotThrough = &through
	}
	return k
}

// Confirm adds the check seeds to the card of a trial. A trial that passed on its own seeds passes
// only if enough check seeds do. Of k, Practice, Planned, Nonce, Given and Seeds are set.
func (c *Card) Confirm(k Check) {
	if c.Exit != ExitPassed {
		return
	}
	k.complete()
	c.Check = &k
	practice := "passed on " + format.Plural(k.Practice, "practice seed")
	switch {
	case k.Planned == 0:
		c.Reason = practice + ", without check seeds: " + c.Reason
	case len(k.Seeds) < k.Planned:
		c.Outcome, c.Exit = OutcomeInconclusive, ExitInconclusive
		c.Reason = fmt.Sprintf("%s, but %s not played to the end", practice, were(k.Planned))
	case !k.Confirmed() && k.Passed+k.Undecided >= k.Required:
		c.Outcome, c.Exit = OutcomeInconclusive, ExitInconclusive
		c.Reason = fmt.Sprintf("%s, but %s without a result, which can decide it; the first is %d: %s", practice,
			were(k.Undecided), k.undecided().Seed, k.undecided().Reason)
	case k.Confirmed():
		c.Reason = fmt.Sprintf("%s, %s: %s", practice, k.text(), c.Reason)
	default:
		c.Outcome, c.Exit = OutcomeUnconfirmed, ExitMissed
		c.Reason = fmt.Sprintf("%s, but only %s, of which %d have to pass; the worst is %d: %s", practice, k.text(),
			k.Required, k.Worst.Seed, k.Worst.Reason)
		half := c.MaxPoints / 2
		c.Limited = c.Limited || c.Points > half
		c.Points = min(c.Points, half)
	}
}

func were(n int) string {
	if n == 1 {
		return "1 check seed was"
	}
	return fmt.Sprintf("%d check seeds were", n)
}

// Confirmed reports whether check seeds confirm the trial's own.
func (k *Check) Confirmed() bool {
	return k.Planned > 0 && len(k.Seeds) == k.Planned && k.Passed >= k.Required
}

// text is "19 of 20 check seeds" with the interval.
func (k *Check) text() string {
	return fmt.Sprintf("%d of %s (95 %% interval %s to %s)", k.Passed, format.Plural(k.Planned, "check seed"),
		format.Percent(k.Low), format.Percent(k.High))
}

// complete computes what follows from the seeds.
func (k *Check) complete() {
	k.Required = requiredCheckSeeds(k.Planned)
	var missed []CheckSeed
	for _, s := range k.Seeds {
		switch {
		case s.Exit == ExitPassed:
			k.Passed++
		case s.decided():
			missed = append(missed, s)
		default:
			k.Undecided++
		}
	}
	i := stats.ClopperPearson(k.Passed, len(k.Seeds)-k.Undecided, confidence)
	k.Low, k.High = i.Low, i.High
	if len(missed) > 0 {
		worst := slices.MinFunc(missed, CheckSeed.compare)
		k.Worst = &worst
	}
}

// decided reports whether the seed says anything about the guardrails.
func (s CheckSeed) decided() bool { return s.Exit != ExitLabFailed && s.Exit != ExitInconclusive }

// undecided returns the first seed that says nothing.
func (k *Check) undecided() CheckSeed {
	for _, s := range k.Seeds {
		if !s.decided() {
			return s
		}
	}
	return CheckSeed{}
}

// compare puts the worse of two check seeds first: the one with fewer points, or with more harm.
func (s CheckSeed) compare(o CheckSeed) int {
	return cmp.Or(cmp.Compare(s.Points, o.Points), cmp.Compare(o.gotThrough(), s.gotThrough()),
		cmp.Compare(s.Seed, o.Seed))
}

func (s CheckSeed) gotThrough() float64 {
	if s.GotThrough == nil {
		return 0
	}
	return *s.GotThrough
}

// DrawnText lists drawn parameters.
func DrawnText(drawn map[string]float64) string {
	if len(drawn) == 0 {
		return "no parameters"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(drawn)) {
		all = append(all, fmt.Sprintf("%s %s", name, format.Value(drawn[name])))
	}
	return strings.Join(all, ", ")
}
