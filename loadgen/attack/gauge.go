package attack

import "sync/atomic"

// Gauge counts the requests in flight: those that were sent and have not ended. It is safe for
// concurrent use.
type Gauge struct{ inFlight, peak atomic.Int64 }

// InFlight returns the number of requests in flight.
func (g *Gauge) InFlight() int { return int(g.inFlight.Load()) }

// Peak returns the largest number so far.
func (g *Gauge) Peak() int { return int(g.peak.Load()) }

// start counts a request. It is not called concurrently.
func (g *Gauge) start() { g.peak.Store(max(g.peak.Load(), g.inFlight.Add(1))) }
