package loadgen

import "time"

// Outcome is what became of one attempt at a request, in real or virtual time. A logical request is an arrival; it has one
// attempt and those that its client's [Retry] adds. The last one is Final, and its Latency is what the user waited.
type Outcome struct {
	Arrival Arrival
	// Attempt counts from 0.
	Attempt int
	Final   bool
	// Intended is when the attempt was to be sent, Sent when it was, both since the begin of traffic. In virtual time they are
	// the same.
	Intended, Sent time.Duration
	// Latency is from the intended time of the arrival (not of the attempt) to the end of the answer, so that time in a queue of
	// the generator counts (Tene: How NOT to measure latency, 2013).
	Latency time.Duration
	// Status is the HTTP status, 0 for no answer; Failure then says why, in one of the Failure words.
	Status  uint16
	Failure string
	// Version is the one that served, "" where the answer did not say.
	Version string
	// Workload is the one that the version ran in, where the answer said so.
	Workload string
	// Hit and Wrong are the ground truth, where the answer has it: an injected fault touched the request, its content is wrong.
	Hit, Wrong bool
	// BytesIn counts the answer's body.
	BytesIn int64
}

// Done is when the answer was there, since the begin of traffic.
func (o *Outcome) Done() time.Duration { return o.Arrival.At + o.Latency }

// Failed tells whether the attempt was an error: a server error or no answer.
func (o *Outcome) Failed() bool { return o.Status >= 500 || o.Status == 0 }

// Words for why there was no answer.
const (
	FailureRefused = "refused" // nobody listens
	FailureReset   = "reset"   // the connection broke
	FailureTimeout = "timeout"
	FailureTLS     = "tls"
	FailureName    = "name" // the host's name is not known
	FailureStopped = "stopped"
	FailureOther   = "other"
)
