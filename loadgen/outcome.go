package loadgen

import "time"

// Outcome is the result of one attempt at a request, in real or virtual time. An arrival is a
// logical request; it has one attempt plus those that its client's [Retry] adds. The last one is
// Final, and its Latency is how long the user waited.
type Outcome struct {
	Arrival Arrival
	// Attempt counts from 0.
	Attempt int
	Final   bool
	// Intended is when the attempt was to be sent, Sent when it was, both since the start of
	// traffic. In virtual time they are equal.
	Intended, Sent time.Duration
	// Latency is the time from the intended start of the arrival (not of the attempt) to the end of
	// the response, so that time spent in a queue of the generator counts (Tene: How NOT to measure
	// latency, 2013).
	Latency time.Duration
	// Status is the HTTP status, or 0 if there was no response. Failure then says why, as one of
	// the Failure constants.
	Status  uint16
	Failure string
	// Detail is the text of the error behind Failure, without the client's own port.
	Detail string
	// Version is the version that served the request, or "" if the response did not tell.
	Version string
	// Workload is the workload of that version, where the response names it.
	Workload string
	// Hit and Wrong are the ground truth, where the response carries it: an injected fault affected
	// the request; its content is wrong.
	Hit, Wrong bool
	// ByMesh is true if a proxy answered in place of the service.
	ByMesh bool
	// BytesIn is the size of the response body.
	BytesIn int64
}

// Done returns when the attempt ended, since the start of traffic.
func (o *Outcome) Done() time.Duration { return o.Arrival.At + o.Latency }

// Failed reports whether the attempt was an error: a server error or no response.
func (o *Outcome) Failed() bool { return o.Status >= 500 || o.Status == 0 }

// Reasons for which there was no response.
const (
	FailureRefused     = "refused" // nothing listens on the port
	FailureReset       = "reset"   // the connection broke
	FailureTimeout     = "timeout"
	FailureTLS         = "tls"
	FailureName        = "name"        // the host's name did not resolve
	FailureUnreachable = "unreachable" // no route leads to the host
	FailureProtocol    = "protocol"    // the response is not valid HTTP
	FailureStopped     = "stopped"
	FailureOther       = "other"
)

// Limits of the generator for which a request was never sent. They say nothing about the server.
const (
	FailurePorts       = "ports"       // no local port is free
	FailureDescriptors = "descriptors" // too many open files
	FailureMemory      = "memory"      // the kernel has no buffers left
)

// LocalFailure reports whether a reason is a limit of the generator.
func LocalFailure(failure string) bool {
	return failure == FailurePorts || failure == FailureDescriptors || failure == FailureMemory
}

// NotSent reports whether the attempt failed in the generator, so that no server saw it.
func (o *Outcome) NotSent() bool { return o.Status == 0 && LocalFailure(o.Failure) }
