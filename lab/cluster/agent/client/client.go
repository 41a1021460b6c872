// Package client is how others talk to the desk, the part of the lab inside the kind cluster: the story's process outside, through
// the API server, and the traffic pods inside. It has the desk's interface as types and paths, and knows nothing of Kubernetes.
package client

import (
	"encoding/json"
	"time"

	"coalmine/lab/event"
)

// RunSpec is what the desk is started for. It is mounted into its pod as a file (FlightFile), beside the scenario.
type RunSpec struct {
	// Guardrails are the learner's files by name; nil for a run without any.
	Guardrails map[string]string `json:"guardrails,omitempty"`
	Version    string            `json:"version"`
	Seed       uint64            `json:"seed"`
	// ApproveAfter is that of lab.Flight.
	ApproveAfter time.Duration `json:"approveAfter"`
	// TrafficPods is the number of traffic pods, by client workload.
	TrafficPods map[string]int `json:"shards"`
}

// RunSpecFile is the name of the file with the [Flight], in JSON.
const RunSpecFile = "run.json"

// Paths of the desk on its own port. Times on the wire are Unix nanoseconds: all of a lab's clocks are one machine's.
const (
	// PathFacts answers GET with a stream of JSON lines, each a [Fact]; ?after=N begins behind fact N. The stream stays open, and has
	// an empty line every few seconds where nothing happens. The desk keeps all facts of its flight, so a reader that was cut off
	// misses nothing: see [Follow].
	PathFacts = "/v1/facts"
	// PathStart takes POST of a [Start] and answers at once: shards that are ready begin at that time. It is an error (409) while a
	// shard is missing; the body says which.
	PathStart = "/v1/traffic/start"
	// PathStop takes POST of a [Stop], lets the shards stop and waits until each has told its totals, which come as facts too, or
	// until the desk knows that one will not. It answers a [Status], and may be asked again.
	PathStop = "/v1/traffic/stop"
	// PathReleased takes POST of a [Released]: from now on users are assigned, and approval counts.
	PathReleased = "/v1/released"
	// PathWeight is for demo services: GET ?service=S&version=V answers a [Weight].
	PathWeight = "/v1/weight"
	// PathReady answers 200 when the desk stands; PathStatus answers a [Status].
	PathReady  = "/ready"
	PathStatus = "/v1/status"
)

// Fact is something that the desk saw.
type Fact struct {
	// N counts from 1 without gaps.
	N int `json:"n"`
	// At is when it happened, Unix nanoseconds. Traffic's From and To are times since [Start.Zero].
	At int64 `json:"at"`
	// Kind and Data are those of the fact on the wire: see event.DecodeFact.
	Kind event.Kind      `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// Start tells the shards when to begin.
type Start struct {
	// Zero is the run's start, Begin that of the traffic.
	Zero  int64 `json:"zero"`
	Begin int64 `json:"begin"`
}

// Release tells of a release.
type Release struct {
	At int64 `json:"at"`
}

// Stop tells when the traffic ends: what is answered later counts as open.
type Stop struct {
	At int64 `json:"at"`
}

// Weight is the share of the traffic to a service that one of its versions gets, in percent.
type Weight struct {
	Percent float64 `json:"percent"`
}

// Status says how the flight goes.
type Status struct {
	// Ready are the shards that wait for the start or have begun, Done those that told their totals, Missing the others.
	Ready, Done int
	Missing     []string
	// Fault is set when the desk knows that its account is incomplete: a shard that died, a second that is lost. It stays set.
	Fault string
	// Facts is the number of the last one.
	Facts int
}
