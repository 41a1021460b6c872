package guardrail

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"coalmine/lab/scenario"
	"coalmine/lab/service"
)

// latencySamples is the number of requests that [latencies] draws: the 99.9th percentile rests on two
// of them.
const latencySamples = 2000

// latencies returns how long each service takes for its requests by the baseline version, sorted, as
// far as that follows from the scenario without a load. The draws are the same each time.
func latencies(s *scenario.Scenario) map[string][]time.Duration {
	all := map[string][]time.Duration{}
	draw := rand.New(rand.NewPCG(1, 1))
	for i, share := range s.Traffic.RouteShares() {
		chain := routeChain(s, i)
		for range int(math.Round(share * latencySamples)) {
			total := time.Duration(0)
			for _, hop := range slices.Backward(chain) {
				total += drawLatency(draw, hop.own) + drawLatency(draw, hop.store)
				all[hop.service] = append(all[hop.service], total)
			}
		}
	}
	for _, samples := range all {
		slices.Sort(samples)
	}
	return all
}

// drawLatency draws from the lognormal distribution that the quantiles determine.
func drawLatency(r *rand.Rand, l service.Latency) time.Duration {
	if l.P50 <= 0 {
		return 0
	}
	const z99 = 2.3263478740408408
	sigma := math.Log(float64(max(l.P99, l.P50))/float64(l.P50)) / z99
	return time.Duration(float64(l.P50) * math.Exp(sigma*r.NormFloat64()))
}
