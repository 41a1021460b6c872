package loadgen

import "math"

// RouteShares returns the share of requests that each route gets, in the order of the routes. Of
// sessions it counts the first pages only. A workload that replays a log has none.
func (w *Workload) RouteShares() []float64 {
	shares := make([]float64, len(w.Routes))
	if w.Replay != nil {
		return shares
	}
	for _, c := range w.Cohorts {
		weights := c.weights()
		total := 0.0
		for _, x := range weights {
			total += x
		}
		for i, r := range w.Routes {
			if total > 0 {
				shares[i] += c.Share * weights[r.Name] / total
			}
		}
	}
	return shares
}

// weights returns how often the cohort requests each route, relative to others.
func (c *Cohort) weights() map[string]float64 {
	switch {
	case c.Zipf != nil:
		weights := make(map[string]float64, len(c.Zipf.Routes))
		for i, name := range c.Zipf.Routes {
			weights[name] = math.Pow(float64(i+1), -c.Zipf.Exponent)
		}
		return weights
	case c.Session != nil:
		return c.Session.Start
	}
	return c.Mix
}
