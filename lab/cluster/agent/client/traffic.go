package client

import (
	"time"

	"coalmine/lab/event"
)

// Paths of the desk that traffic pods ask.
const (
	// PathCommands takes POST of a [Shard] and answers [Orders]: at once with ?after=0, and else when there are others than those of
	// that generation, or after half a minute.
	PathCommands = "/v1/traffic/orders"
	// PathReport takes POST of a [Report].
	PathReport = "/v1/traffic/report"
	// PathDrillResult takes POST of a [Drilled].
	PathDrillResult = "/v1/traffic/drilled"
)

// TrafficPod is a traffic pod: one of several that send the requests of a client workload.
type TrafficPod struct {
	// Client is the scenario's client workload; Index counts from 1 to Count.
	Client string `json:"client"`
	Index  int    `json:"index"`
	Count  int    `json:"count"`
	// Process is drawn by each process anew. One that begins after the start cannot know what an earlier one had counted.
	Process string `json:"process"`
}

// Commands are what shards have to do. A part that is nil was not ordered yet; what was ordered stays.
type Commands struct {
	// Generation counts the changes from 1.
	Generation int      `json:"generation"`
	Start      *Start   `json:"start,omitempty"`
	Release    *Release `json:"released,omitempty"`
	Stop       *Stop    `json:"stop,omitempty"`
	// DeniedBy is who keeps the requests of a client out of the released service, by client, where it can only be one: the proxy that
	// answers 403 does not say whose it is.
	DeniedBy map[string]WorkloadVersion `json:"denying,omitempty"`
	// Drill is the one that is asked for last. A shard plays it unless it has done so.
	Drill *Drill `json:"drill,omitempty"`
}

// WorkloadVersion is a workload of the released service and the version that it runs.
type WorkloadVersion struct {
	Workload string `json:"workload"`
	Version  string `json:"version"`
}

// Drill asks for probes of a rehearsed rollback, which go the ways that users' requests go, with the identities that those have.
type Drill struct {
	// ID rises from drill to drill.
	ID int `json:"id"`
	// Service is the released service, which every probe is for.
	Service string `json:"service"`
	// Paths have their probes; each is one shard's.
	Paths []CallPath `json:"ways"`
}

// CallPath is how probes reach the released service: from a client's first shard to the service itself, or to another one that hands them
// on to it as its own calls.
type CallPath struct {
	Client string `json:"client"`
	// First is the service that the client asks.
	First  string `json:"first"`
	Probes int    `json:"probes"`
}

// DrillResult tells what became of a shard's probes.
type DrillResult struct {
	TrafficPod
	ID int `json:"id"`
	// Reached counts the probes by the workload of the released service that answered them; Denied says why others were not.
	Reached map[string]int `json:"reached"`
	Denied  string         `json:"denied,omitempty"`
}

// Report tells of a shard's seconds. Reports of a shard come in the order of their numbers, from 1 without gaps; one that came
// before is not counted again.
type Report struct {
	TrafficPod
	Number int `json:"number"`
	// Seconds are those that have ended since the last report and in which somebody was answered.
	Seconds []event.Traffic `json:"seconds,omitempty"`
	// Through is the time since the run's start up to which all seconds are told.
	Through time.Duration `json:"through"`
	// Totals close the shard's account: there is no report after it.
	Totals *event.TrafficTotals `json:"totals,omitempty"`
	// Fault says why the shard's account is incomplete; it too is the last.
	Fault string `json:"fault,omitempty"`
}
