package attack

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"time"

	"coalmine/loadgen"
)

// Defaults of an attack.
const (
	defaultTimeout = 30 * time.Second
	defaultGrace   = 5 * time.Second

	minWorkers, maxWorkers = 4096, 16384
	maxConnections         = 256
	// prewarmWindow is the time whose arrivals get a connection in advance: as many as are in
	// flight if responses take that long.
	prewarmWindow = 50 * time.Millisecond
)

func (a Attack) validate() error {
	if a.Plan == nil {
		return errors.New("attack: no plan")
	}
	routes := a.Plan.Routes()
	if len(a.Targets) != len(routes) {
		return fmt.Errorf("attack: %d targets for %d routes; set one per route", len(a.Targets), len(routes))
	}
	for i, u := range a.Targets {
		if err := checkTarget(u); err != nil {
			return fmt.Errorf("attack: target of route %q: %w", routes[i].Name, err)
		}
	}
	switch {
	case a.Workers < 0:
		return fmt.Errorf("attack: %d workers; set 1 or more, or 0 for the default", a.Workers)
	case a.Timeout < 0:
		return fmt.Errorf("attack: timeout %v; set a positive time, or 0s for the default", a.Timeout)
	}
	return nil
}

// checkTarget returns what is wrong with a base URL.
func checkTarget(u *url.URL) error {
	switch {
	case u == nil:
		return errors.New("is missing")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q: write a URL that starts with http:// or https://", u.Redacted())
	case u.Hostname() == "":
		return fmt.Errorf("%q has no host; write http://host:port", u.Redacted())
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fmt.Errorf("%q: remove query and fragment; they belong to the routes", u.Redacted())
	}
	return nil
}

func (a Attack) withDefaults() Attack {
	rate := peakRate(a.Plan) / float64(max(a.Shard.Count, 1))
	if a.Timeout == 0 {
		a.Timeout = defaultTimeout
	}
	if a.Workers == 0 {
		a.Workers = clamp(minWorkers, rate*a.Timeout.Seconds(), maxWorkers)
	}
	if a.Connections == 0 {
		a.Connections = clamp(1, rate*prewarmWindow.Seconds(), maxConnections)
	}
	a.Connections = min(max(a.Connections, 0), a.Workers)
	if a.Grace == 0 {
		a.Grace = defaultGrace
	}
	if a.Done == nil {
		a.Done = func(*loadgen.Outcome) {}
	}
	return a
}

// clamp rounds x up and limits it to a range.
func clamp(low int, x float64, high int) int {
	return int(max(float64(low), min(math.Ceil(x), float64(high))))
}

// peakRate returns the highest rate of a plan in requests per second: that of the curve with its
// bursts, sampled at a thousand times, or that of the busiest second among the first arrivals,
// which sessions and logs may concentrate.
func peakRate(p *loadgen.Plan) float64 {
	if p.Duration() <= 0 {
		return 0
	}
	w := p.Workload()
	peak := 0.0
	const looks = 1000
	for i := range time.Duration(looks) {
		peak = max(peak, w.Rate.At(p.Duration()/looks*i))
	}
	if w.Bursts != nil {
		peak *= max(w.Bursts.Factor, 1)
	}
	peak = max(peak, p.Expected()/p.Duration().Seconds())
	if w.Replay == nil && !hasSessions(w) {
		return peak
	}
	return max(peak, float64(busiestSecond(p)))
}

func hasSessions(w loadgen.Workload) bool {
	return slices.ContainsFunc(w.Cohorts, func(c loadgen.Cohort) bool { return c.Session != nil })
}

// maxPeakLook limits the arrivals that busiestSecond looks at, which takes some 50 ms.
const maxPeakLook = 200_000

// busiestSecond returns the largest number of arrivals within a second.
func busiestSecond(p *loadgen.Plan) int {
	var window []time.Duration // the arrivals of the last second, ascending
	busiest := 0
	c := p.Arrivals()
	for range maxPeakLook {
		a, ok := c.Next()
		if !ok {
			break
		}
		window = append(window, a.At)
		first, _ := slices.BinarySearch(window, a.At-time.Second+1)
		window = window[first:]
		busiest = max(busiest, len(window))
	}
	return busiest
}
