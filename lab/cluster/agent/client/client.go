// Package client is the API of the agent, which runs inside the kind cluster, as types, paths and a
// client. Its users are the runner outside of the cluster, which calls through the API server, and
// the traffic pods inside. It does not depend on Kubernetes.
package client

import (
	"encoding/json"
	"time"

	"coalmine/lab/event"
)

// RunSpec is the run that the agent is started for. The agent's pod mounts it as [RunSpecFile],
// beside the scenario.
type RunSpec struct {
	// Guardrails are the learner's files by name; nil for a run without guardrails.
	Guardrails map[string]string `json:"guardrails,omitempty"`
	// Version is the released version, by the scenario's name. The cluster calls it by a neutral
	// one, which depends on Seed: see scenario.NeutralVersion.
	Version string `json:"version"`
	Seed    uint64 `json:"seed"`
	// ApproveAfter is that of cluster.RunSpec.
	ApproveAfter time.Duration `json:"approveAfter"`
	// TrafficPods is the number of traffic pods for each client workload.
	TrafficPods map[string]int `json:"trafficPods"`
}

// RunSpecFile is the name of the file with the [RunSpec], in JSON.
const RunSpecFile = "run.json"

// Paths of the agent's own port. Times are Unix nanoseconds, as all clocks of the lab are those of
// one machine.
const (
	// PathFacts answers GET with a stream of JSON lines, each a [Fact]; with ?after=N it starts
	// after fact N. The stream stays open, and idle streams get an empty line every few seconds.
	// The agent keeps all facts of its run, so a reader that was cut off misses nothing: see
	// [Follow].
	PathFacts = "/v1/facts"
	// PathStart accepts POST of a [Start] and answers at once: pods that are ready start at that
	// time. The status is 409 while a traffic pod is missing; the body names it.
	PathStart = "/v1/traffic/start"
	// PathStop accepts POST of a [Stop], stops the traffic pods and waits until each has reported
	// its totals, which become facts, or one never will. It answers a [Status], and may be called
	// again.
	PathStop = "/v1/traffic/stop"
	// PathReleased accepts POST of a [Release]: from then on users are assigned to versions, and
	// approval counts.
	PathReleased = "/v1/released"
	// PathWeight is for demo services: GET ?service=S&version=V answers a [Weight], where V is a
	// neutral name.
	PathWeight = "/v1/weight"
	// PathReady answers 200 when the agent is ready; PathStatus answers a [Status].
	PathReady  = "/ready"
	PathStatus = "/v1/status"
)

// Fact is something that the agent observed.
type Fact struct {
	// N counts from 1 without gaps.
	N int `json:"n"`
	// At is when it happened, in Unix nanoseconds. From and To of traffic are times since
	// [Start.Zero].
	At int64 `json:"at"`
	// Kind and Data are for event.DecodeFact.
	Kind event.Kind      `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// Start starts the traffic.
type Start struct {
	// Zero is the start of the run, Begin that of the traffic.
	Zero  int64 `json:"zero"`
	Begin int64 `json:"begin"`
}

// Release is the release of a version.
type Release struct {
	At int64 `json:"at"`
}

// Stop is the end of the traffic: requests that are answered later count as open.
type Stop struct {
	At int64 `json:"at"`
}

// Weight is a version's share of the traffic to its service, in percent.
type Weight struct {
	Percent float64 `json:"percent"`
}

// Status is the progress of a run.
type Status struct {
	// Ready are the traffic pods that wait for the start or have started, Done those that have
	// reported their totals, Missing the others.
	Ready, Done int
	Missing     []string
	// Fault is set for good when the agent's account is incomplete: a pod died, or a second is
	// lost.
	Fault string
	// Facts is the number of the last one.
	Facts int
}
