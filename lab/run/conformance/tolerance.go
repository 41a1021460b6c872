package conformance

import (
	"fmt"
	"time"
)

// Tolerance lists the accepted differences of a cluster, each with its reason. Everything else must
// hold exactly.
type Tolerance struct {
	// Settle is ignored after a change of the routes or of a phase, Ahead before the next one.
	Settle, Ahead Span
	// Idle is how much of the traffic may be without responses: such seconds are not in the log.
	// The totals show that they are not lost.
	Idle Span
	// Lag is how long after its end a second of traffic may be recorded.
	Lag Span
	// Follow is how far apart related facts of two sources may be recorded, such as a route and the
	// status that follows from it.
	Follow Span
	// Overhead is the median latency that the cluster may add to the services' models.
	Overhead Span
	// Boot is how long after the start of the run services may still be starting, without
	// guardrails. Seconds without responses are not in the log.
	Boot Span
	// Slack is how much longer than specified a stage may take.
	Slack Span
	// Noise is the share of requests that may fail although the services are healthy.
	Noise Share
	// Stray is the share of requests that may be routed against the routes, or denied against the
	// policies.
	Stray Share
	// SameAgain says why an attempt that a proxy sends again has the outcome of the first; "" if each
	// attempt is decided for itself.
	SameAgain string
}

// Span is an allowed time, with its reason.
type Span struct {
	time.Duration
	Why string
}

func (s Span) String() string { return fmt.Sprintf("%v allowed: %s", s.Duration, s.Why) }

// Share is an allowed part of 1, with its reason.
type Share struct {
	Of  float64
	Why string
}

func (s Share) String() string { return fmt.Sprintf("%.3g %% allowed: %s", 100*s.Of, s.Why) }

// Virtual returns the tolerance for clusters in virtual time.
func Virtual() Tolerance {
	return Tolerance{
		Settle: Span{3 * time.Second, "requests sent before a change are answered after it, and seconds do not " +
			"start with changes"},
		Ahead:    Span{0, "changes are recorded when they reach the proxies"},
		Idle:     Span{0, "there is always a pod to answer"},
		Lag:      Span{0, "a second is recorded when it ends"},
		Follow:   Span{time.Second, "changes reach the proxies after a tenth of a second"},
		Overhead: Span{2 * time.Millisecond, "the mesh and latency buckets of a tenth"},
		Boot:     Span{5 * time.Second, "pods start with the run"},
		Slack:    Span{5 * time.Second, "the runner checks every five seconds"},
		Noise:    Share{0, "models do not fail"},
		Stray:    Share{0, "routes are followed exactly"},
	}
}

// Real returns the tolerance for clusters in real time, on a machine with two cores.
func Real() Tolerance {
	return Tolerance{
		SameAgain: "the services decide by the number of a request, which an attempt that is sent again keeps",
		Settle: Span{4 * time.Second, "watches, proxies and the traffic pods' whole seconds are each up to a " +
			"second late"},
		Ahead:    Span{2 * time.Second, "proxies may get a change before the runner's watch does"},
		Idle:     Span{3 * time.Second, "a machine of two cores stalls now and then"},
		Lag:      Span{15 * time.Second, "seconds are merged from the traffic pods and sent through the API server"},
		Follow:   Span{5 * time.Second, "facts come from several watches, each with its own delay"},
		Overhead: Span{40 * time.Millisecond, "two real proxies per hop, and two cores for everything"},
		Boot:     Span{0, "a run starts when its services are ready"},
		Slack:    Span{45 * time.Second, "the traffic pods have to stop, report their totals and end"},
		Noise:    Share{0.005, "a machine of two cores stalls now and then, and a connection is cut when its pod ends"},
		Stray: Share{0.005, "a proxy that does not know a change yet follows the previous route, and a connection " +
			"that was silent for ten seconds is opaque: it follows no route and has no identity"},
	}
}
