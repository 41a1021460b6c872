package client

import (
	"time"

	"coalmine/lab/event"
)

// Paths of the agent for traffic pods.
const (
	// PathCommands accepts POST of a [TrafficPod] and answers [Commands]: at once with ?after=0,
	// otherwise when they differ from those of that generation, or after a while.
	PathCommands = "/v1/traffic/commands"
	// PathReport accepts POST of a [Report].
	PathReport = "/v1/traffic/report"
	// PathDrillResult accepts POST of a [DrillResult].
	PathDrillResult = "/v1/traffic/drill"
)

// TrafficPod is one of the pods that send the requests of a client workload.
type TrafficPod struct {
	// Client is the scenario's client workload; Index counts from 1 to Count.
	Client string `json:"client"`
	Index  int    `json:"index"`
	Count  int    `json:"count"`
	// Process is a random ID of the process. A process that starts after the traffic did cannot
	// know the counts of an earlier one.
	Process string `json:"process"`
}

// Commands tell the traffic pods what to do. A field that is nil was not commanded yet; commands
// are not taken back.
type Commands struct {
	// Generation counts the changes from 1.
	Generation int      `json:"generation"`
	Start      *Start   `json:"start,omitempty"`
	Release    *Release `json:"release,omitempty"`
	Stop       *Stop    `json:"stop,omitempty"`
	// DeniedBy has, by client, the workload that denies its requests to the released service, if it
	// can be only one. The 403 of a proxy does not say whose it is.
	DeniedBy map[string]WorkloadVersion `json:"deniedBy,omitempty"`
	// DeniedByRelease has the clients that the new version's pods deny by policy that comes with
	// the scenario: the fault of that version, not of the guardrails.
	DeniedByRelease map[string]bool `json:"deniedByRelease,omitempty"`
	// Crashed is true while a pod of the released service that was ready is not.
	Crashed bool `json:"crashed,omitempty"`
	// Drill is the last one requested. A pod sends its probes once.
	Drill *Drill `json:"drill,omitempty"`
}

// WorkloadVersion is a workload of the released service and the version that it runs.
type WorkloadVersion struct {
	Workload string `json:"workload"`
	Version  string `json:"version"`
}

// Drill requests probes of a rollback drill, which take the paths of users' requests, with the
// identities that those have.
type Drill struct {
	// ID rises from drill to drill.
	ID int `json:"id"`
	// Service is the released service, which every probe is for.
	Service string `json:"service"`
	// Paths have their numbers of probes. The first pod of a client sends them, or each of its pods if
	// Each is set.
	Paths []CallPath `json:"paths"`
	Each  bool       `json:"each,omitempty"`
}

// CallPath is how probes reach the released service: from a client's first pod to the service
// itself, or to another service that calls it.
type CallPath struct {
	Client string `json:"client"`
	// First is the service that the client calls.
	First  string `json:"first"`
	Probes int    `json:"probes"`
}

// DrillResult is the result of a pod's probes.
type DrillResult struct {
	TrafficPod
	ID int `json:"id"`
	// Reached counts the probes by the workload of the released service that answered; Denied says
	// why others were not answered.
	Reached map[string]int `json:"reached"`
	Denied  string         `json:"denied,omitempty"`
	// Unserved counts those for which a proxy had no endpoint: they were answered 503 or 504.
	Unserved int `json:"unserved,omitempty"`
}

// Report has seconds of a pod's traffic. The reports of a pod are numbered from 1 without gaps; one
// that was received before is not counted again.
type Report struct {
	TrafficPod
	Number int `json:"number"`
	// Seconds have ended since the last report, and had responses.
	Seconds []event.Traffic `json:"seconds,omitempty"`
	// Through is the time since the start of the run up to which all seconds are reported.
	Through time.Duration `json:"through"`
	// Totals complete the pod's account: there is no report after it.
	Totals *event.TrafficTotals `json:"totals,omitempty"`
	// Fault says why the pod's account is incomplete; it is the last report, too.
	Fault string `json:"fault,omitempty"`
}
