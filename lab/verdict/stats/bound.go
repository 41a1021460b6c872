package stats

import (
	"math"
	"time"
)

// ErrorRates of a detector: Alpha is the chance of an alarm on a healthy version, Beta that of none
// on a faulty one.
type ErrorRates struct{ Alpha, Beta float64 }

// DefaultErrorRates are those of the ideal alarm.
func DefaultErrorRates() ErrorRates { return ErrorRates{Alpha: 0.001, Beta: 0.05} }

// threshold is the alarm boundary ln((1−β)/α) of a sequential probability ratio test (Wald 1945).
func (e ErrorRates) threshold() float64 { return math.Log((1 - e.Beta) / e.Alpha) }

// Segment is a kind of request that the fault affects, with its rates of bad requests.
type Segment struct {
	// P0 is the healthy version's rate, P1 the faulty one's.
	P0, P1 float64
}

// Second is one second of the faulty version's requests.
type Second struct {
	// From and To are times since the run's start.
	From, To time.Duration
	// Bad and Good count requests by segment.
	Bad, Good []int
	// Harm counts requests of any kind that the fault made bad.
	Harm int
}

// Lag is the least time between a fact and a guardrail's reaction to it.
type Lag struct {
	// Scrape is the interval of Prometheus, Interval that of Flagger's control loop.
	Scrape, Interval time.Duration
}

// DefaultLag is 10 s for the scrape, and 10 s for the interval, which is Flagger's minimum.
func DefaultLag() Lag { return Lag{Scrape: 10 * time.Second, Interval: 10 * time.Second} }

// IdealAlarm is what the ideal alarm would have done.
type IdealAlarm struct {
	// Alarm is when the evidence was enough; Stop when the harm could have ended. Both are 0 if it
	// never was.
	Alarm, Stop time.Duration
	// Harm is what it lets through until Stop, or all of it.
	Harm int
}

// Bound is the harm that an ideal alarm lets through. It knows the fault and the segments that the
// fault affects, adds up the log-likelihood ratios of all segments (Wald's sequential probability
// ratio test without its lower boundary), and acts after the lag. On average, no guardrail that
// sees the same requests does better at the same error rates. Seconds must be in order.
func Bound(seconds []Second, segments []Segment, e ErrorRates, lag Lag) IdealAlarm {
	var ideal IdealAlarm
	evidence := 0.0
	for _, s := range seconds {
		if ideal.Alarm > 0 && s.From >= ideal.Stop {
			break
		}
		ideal.Harm += s.Harm
		for i, g := range segments {
			evidence += g.evidence(s.Bad[i], s.Good[i])
		}
		if ideal.Alarm == 0 && evidence >= e.threshold() {
			ideal.Alarm, ideal.Stop = s.To, s.To+lag.Scrape+lag.Interval
		}
	}
	return ideal
}

// evidence is the log-likelihood ratio of counts in nats: how much they speak for P1 against P0. It
// is 0 for a segment that the fault does not make worse. Rates of exactly 0 or 1 are moved from the
// edge: what was never observed is not impossible.
func (g Segment) evidence(bad, good int) float64 {
	const edge = 1e-6
	p0 := math.Min(math.Max(g.P0, edge), 1-edge)
	p1 := math.Min(math.Max(g.P1, edge), 1-edge)
	if p1 <= p0 {
		return 0
	}
	return logRatio(bad, p1, p0) + logRatio(good, 1-p1, 1-p0)
}

func logRatio(n int, p, q float64) float64 {
	if n == 0 {
		return 0
	}
	return float64(n) * math.Log(p/q)
}

// EstimateRate estimates a rate of bad requests from counts. It adds half a bad request, so that
// none observed does not mean impossible (Jeffreys' prior).
func EstimateRate(bad, n int) float64 { return (float64(bad) + 0.5) / (float64(n) + 1) }
