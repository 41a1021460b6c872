package stats

import (
	"math"
	"time"
)

// Segment is a kind of request that the fault touches, with its bad-request rates.
type Segment struct {
	// P0 is the healthy version's rate, P1 the faulty one's.
	P0, P1 float64
}

// Second is one second of the faulty version's requests.
type Second struct {
	// From and To bound the second, as times since the run's start.
	From, To time.Duration
	// Bad and Good count requests per segment.
	Bad, Good []int
	// Harm counts requests of any kind that the fault hurt.
	Harm int
}

// Lag is the least time between a fact and what a guardrail can do about it.
type Lag struct {
	// Scrape is the interval of Prometheus, Interval that of Flagger's control loop.
	Scrape, Interval time.Duration
}

// DefaultLag is 10 s for the scrape, and 10 s for the interval: the least that Flagger accepts.
func DefaultLag() Lag { return Lag{Scrape: 10 * time.Second, Interval: 10 * time.Second} }

// IdealAlarm of the ideal alarm.
type IdealAlarm struct {
	// Alarm is when the evidence was enough; Stop when the harm could have ended. Both are 0 when it never was.
	Alarm, Stop time.Duration
	// Harm let through until Stop, or all of it.
	Harm int
}

// Bound is the information bound: the harm that an alarm lets through which knows the fault and the segments it touches,
// sums up the log-likelihood ratios of all segments (Wald's SPRT, upper boundary only), and acts after the least lag.
// Slots must be in the order of time. No guardrail that saw the same requests can do better at the same error rates.
func Bound(slots []Second, segments []Segment, e ErrorRates, lag Lag) IdealAlarm {
	var v IdealAlarm
	sum := 0.0
	for _, s := range slots {
		if v.Alarm > 0 && s.From >= v.Stop {
			break
		}
		v.Harm += s.Harm
		for i, g := range segments {
			sum += g.evidence(s.Bad[i], s.Good[i])
		}
		if v.Alarm == 0 && sum >= e.Upper() {
			v.Alarm, v.Stop = s.To, s.To+lag.Scrape+lag.Interval
		}
	}
	return v
}

// evidence is 0 for a segment that the fault does not make worse. Rates of exactly 0 or 1 are kept away from the edge:
// what an alarm never saw is not impossible.
func (g Segment) evidence(bad, good int) float64 {
	const edge = 1e-6
	p0 := math.Min(math.Max(g.P0, edge), 1-edge)
	p1 := math.Min(math.Max(g.P1, edge), 1-edge)
	if p1 <= p0 {
		return 0
	}
	return LLR(bad, good, p1, p0)
}

// EstimateRate estimates a bad-request rate from counts; half a bad request is added so that none seen does not mean impossible
// (Jeffreys' prior).
func EstimateRate(bad, n int) float64 { return (float64(bad) + 0.5) / (float64(n) + 1) }
