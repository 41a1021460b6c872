package conformance

import (
	"fmt"
	"time"
)

// Tolerance is how far a cluster may be off, each with the reason. What has no tolerance holds everywhere alike.
type Tolerance struct {
	// Settle is left out after a change of the routes or of a phase, Ahead before the next one.
	Settle, Ahead Span
	// Idle is how much of the traffic nobody may have been answered in: such seconds are left out of the log. That they are not lost is
	// what the totals tell.
	Idle Span
	// Lag is how long after its end a second of traffic may come into the log.
	Lag Span
	// Follow is how long after the fact it rests on a fact of another source may stand in the log: a status after its route.
	Follow Span
	// Overhead is what users may wait beyond what the services' models say, at the median.
	Overhead Span
	// Boot is how long after the run's start services may still be starting where nobody waits for them, without guardrails. Seconds in
	// which nobody was answered are left out of the log.
	Boot Span
	// Slack is how much longer than asked for a stage may take.
	Slack Span
	// Noise is the share of requests that may go wrong though nothing is wrong with the services.
	Noise Share
	// Stray is the share of requests that may go elsewhere than the routes say.
	Stray Share
}

// Span is a bounded time and why it is allowed.
type Span struct {
	time.Duration
	Why string
}

func (s Span) String() string { return fmt.Sprintf("%v allowed: %s", s.Duration, s.Why) }

// Share is a bounded part of 1 and why it is allowed.
type Share struct {
	Of  float64
	Why string
}

func (s Share) String() string { return fmt.Sprintf("%.3g %% allowed: %s", 100*s.Of, s.Why) }

// Virtual is the tolerance for clusters in virtual time.
func Virtual() Tolerance {
	return Tolerance{
		Settle:   Span{3 * time.Second, "what was sent before a change is answered within it, and seconds do not begin with changes"},
		Ahead:    Span{0, "changes are noted as they reach the proxies"},
		Idle:     Span{0, "there is always somebody to answer"},
		Lag:      Span{0, "a second is noted when it ends"},
		Follow:   Span{time.Second, "changes reach the proxies after a tenth of a second"},
		Overhead: Span{2 * time.Millisecond, "the mesh and latency buckets of a tenth"},
		Boot:     Span{5 * time.Second, "pods start with the run"},
		Slack:    Span{5 * time.Second, "the story looks each five seconds"},
		Noise:    Share{0, "models do what they are told"},
		Stray:    Share{0, "routes are followed to the letter"},
	}
}

// Real is the tolerance for clusters in real time, on a machine of two cores.
func Real() Tolerance {
	return Tolerance{
		Settle:   Span{4 * time.Second, "watches, proxies and the traffic pods' whole seconds are each up to a second late"},
		Ahead:    Span{2 * time.Second, "proxies may get a change before the watch outside does"},
		Idle:     Span{3 * time.Second, "a machine of two cores stalls now and then"},
		Lag:      Span{15 * time.Second, "seconds are merged from the traffic pods and sent through the API server"},
		Follow:   Span{5 * time.Second, "facts come by several watches, each with its own delay"},
		Overhead: Span{40 * time.Millisecond, "two real proxies per hop, and two cores for everything"},
		Boot:     Span{0, "a run starts when its services are ready"},
		Slack:    Span{45 * time.Second, "the traffic pods have to be told to stop, to tell their totals and to end"},
		Noise:    Share{0.005, "a machine of two cores stalls now and then, and a connection is cut when its pod ends"},
		Stray:    Share{0.005, "a proxy that has not heard of a change yet follows the older one"},
	}
}
