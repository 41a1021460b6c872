package objective

import (
	"time"

	"coalmine/loadgen/results"
)

// isCertain reports whether a violated condition would be violated too if the generator had sent
// every request in time.
//
// Latency counts from the intended time, so it includes the lag of the generator, which results
// keep for all requests together. If n requests took longer than a limit plus d, and m requests
// were sent more than d late, then at least n−m of them took longer than the limit on their own.
func (c condition) isCertain(cell *results.Cell, r *results.Results) bool {
	switch {
	case c.metric.quantile > 0 && !c.op.isLowerBound():
		return c.isQuantileCertain(cell, &r.Lag)
	case c.metric.kind == latency && !c.op.isLowerBound():
		return !c.op.holds(float64(c.timeWithoutLag(cell, &r.Lag)), c.limit)
	case c.metric.name == "rate" && c.op.isLowerBound():
		inTime := r.Elapsed() - r.Lag.Max()
		return inTime > 0 && !c.op.holds(float64(cell.Requests)/inTime.Seconds(), c.limit)
	case c.metric.name == "bad" && !c.op.isLowerBound():
		return !c.op.holds(portion(cell.Bad-slowByLag(cell, &r.Lag), cell), c.limit)
	case c.metric.name == "success" && c.op.isLowerBound():
		return !c.op.holds(portion(succeeded(cell)+slowByLag(cell, &r.Lag), cell), c.limit)
	}
	return true
}

func portion(n int64, cell *results.Cell) float64 { return float64(n) / float64(cell.Requests) }

func (c condition) isQuantileCertain(cell *results.Cell, lag *results.Latencies) bool {
	allowed := cell.Requests - results.Rank(c.metric.quantile, cell.Requests)
	for _, d := range []time.Duration{0, lag.Quantile(0.5), lag.Quantile(0.9), lag.Quantile(0.99), lag.Quantile(0.999),
		lag.Max()} {
		if cell.Latency.Over(c.lastWithin()+d)-lag.Over(d) > allowed {
			return true
		}
	}
	return false
}

// timeWithoutLag returns the least value that mean or max may have without lag.
func (c condition) timeWithoutLag(cell *results.Cell, lag *results.Latencies) time.Duration {
	if c.metric.name == "max" {
		return cell.Latency.Max() - lag.Max()
	}
	all := float64(lag.Mean()) * float64(lag.Count())
	return cell.Latency.Mean() - time.Duration(all/float64(cell.Requests))
}

// noLag is a lag that does not make a response slow.
const noLag = 10 * time.Millisecond

// slowByLag returns how many slow responses may be slow because they were sent late.
func slowByLag(cell *results.Cell, lag *results.Latencies) int64 {
	return min(cell.Slow, lag.Over(noLag))
}
