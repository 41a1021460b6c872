package event

import "time"

// Kinds of facts, as they stand in the log.
const (
	KindRunStarted    Kind = "run.started"
	KindStage         Kind = "run.stage"
	KindRunEnded      Kind = "run.ended"
	KindApplied       Kind = "object.applied"
	KindDeleted       Kind = "object.deleted"
	KindReleased      Kind = "release"
	KindWorkload      Kind = "workload"
	KindCanary        Kind = "canary.status"
	KindFlagger       Kind = "flagger.event"
	KindAlert         Kind = "flagger.alert"
	KindRoute         Kind = "route"
	KindQuery         Kind = "metric.query"
	KindGate          Kind = "gate"
	KindRollbackDrill Kind = "rehearsal"
	KindTraffic       Kind = "traffic"
	KindTrafficTotals Kind = "traffic.totals"
)

// RunStarted opens every log.
type RunStarted struct {
	// Format is [Format] of the writer.
	Format   int    `json:"format"`
	Scenario string `json:"scenario"`
	// Service is the one that is released; Version is the version released and Baseline the one that ran before.
	Service  string `json:"service"`
	Version  string `json:"version"`
	Baseline string `json:"baseline"`
	// Role says what the released version is in the scenario: "faulty", "healthy" or "" for another.
	Role string `json:"role,omitempty"`
	Seed uint64 `json:"seed"`
	// Cluster is "sim" or "kind"; Mesh names the data plane ("linkerd-model", "linkerd", "standin").
	Cluster string `json:"cluster"`
	Mesh    string `json:"mesh"`
	// Guarded is false for a run without any guardrail (the release goes straight to everyone).
	Guarded bool `json:"guarded"`
	// Versions holds the versions of what played the run, by name (coalmine, flagger, prometheus, kubernetes).
	Versions map[string]string `json:"versions"`
}

// Stages of a run, in order.
const (
	StagePrepare  = "prepare"  // services and guardrails are applied, Flagger bootstraps the primary
	StageBaseline = "baseline" // traffic runs against the old version
	StageRollout  = "rollout"  // the new version was released
	StageSettle   = "settle"   // the canary reached a terminal phase; traffic goes on to the horizon
)

// Stage marks the begin of a part of the run.
type Stage struct {
	Name string `json:"name"`
	// Reason says why the stage began where that is not plain.
	Reason string `json:"reason,omitempty"`
}

// Outcomes of a run as such (not of the guardrails).
const (
	OutcomeCompleted   = "completed"   // the story was told to its end
	OutcomeInterrupted = "interrupted" // the user stopped it
	OutcomeLabFault    = "lab-fault"   // the lab failed, nobody's guardrails did
	OutcomeNotReady    = "not-ready"   // the guardrails never reached phase Initialized, so there was no rollout
)

// RunEnded closes every log that was not cut off.
type RunEnded struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
}

// Applied says that an object of the learner's or of the scenario's was created in the cluster.
type Applied struct {
	ObjectKind string `json:"object_kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	// Owner is one of the Owner constants.
	Owner string `json:"owner"`
	// Source is file:line in the guardrails folder, for the learner's.
	Source string `json:"source,omitempty"`
	// Annotations of the object, for experiment facts (owner, start, end, hypothesis).
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Deleted says that an object went away while the run was on.
type Deleted struct {
	ObjectKind string `json:"object_kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// Released says that the new version was given to its Deployment.
type Released struct {
	Service string `json:"service"`
	Version string `json:"version"`
}

// Workload tells the state of a Deployment when its replicas change.
type Workload struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Desired, Updated and Ready count pods.
	Desired int `json:"desired"`
	Updated int `json:"updated"`
	Ready   int `json:"ready"`
}

// Canary is the status of a Canary object, each time a field of it changes.
type Canary struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	// Target is the Deployment that the Canary is for; readers fall back on Name where a log lacks it.
	Target string `json:"target,omitempty"`
	// Phase is Flagger's: one of the Phase constants, Terminating or Terminated.
	Phase string `json:"phase"`
	// Weight is the share of traffic that Flagger gave the canary, in percent.
	Weight       int `json:"weight"`
	Iterations   int `json:"iterations"`
	FailedChecks int `json:"failed_checks"`
	// Threshold is the number of failed checks that ends the rollout.
	Threshold int `json:"threshold"`
	// MaxIterations is analysis.iterations; 0 for weighted rollouts.
	MaxIterations int `json:"max_iterations,omitempty"`
}

// Flagger is one event that Flagger recorded on a Canary.
type Flagger struct {
	Canary string `json:"canary"`
	// Type is Normal or Warning, as in Kubernetes events.
	Type    string `json:"type"`
	Message string `json:"message"`
}

// Alert is one message that Flagger sent to an alert provider; the lab collects it and sends nothing.
type Alert struct {
	Canary   string `json:"canary"`
	Provider string `json:"provider"`
	// Severity is info, warn or error.
	Severity string `json:"severity"`
	Message  string `json:"message"`
}

// RouteRule is one rule of an HTTPRoute as the proxies see it.
type RouteRule struct {
	// Match tells the conditions in words; "" matches everything.
	Match string `json:"match,omitempty"`
	// Backends are Service names with their weights, in the rule's order.
	Backends []RouteBackend `json:"backends"`
}

// RouteBackend is a share of a rule's traffic.
type RouteBackend struct {
	Service string `json:"service"`
	Weight  int    `json:"weight"`
}

// Route says how clients' proxies route from now on.
type Route struct {
	Name  string      `json:"name"`
	Rules []RouteRule `json:"rules"`
}

// Query is one PromQL query that Flagger or a gate asked, and the answer.
type Query struct {
	// Asker is the canary for Flagger's queries.
	Asker string `json:"asker,omitempty"`
	// Metric is the name of the check in the Canary, where it is known, else that of the MetricTemplate.
	Metric string `json:"metric,omitempty"`
	PromQL string `json:"promql"`
	// Value is the one that Flagger takes (the last sample's); nil when the answer was empty or NaN.
	Value *float64 `json:"value,omitempty"`
	// Min and Max bound the values that pass the check, where they are known.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
	// Error is the engine's, "" when it answered.
	Error string `json:"error,omitempty"`
}

// Gate is one call of a lab gate by a Canary webhook, and its answer.
type Gate struct {
	Canary string `json:"canary"`
	// Name is one of the Gate constants.
	Name string `json:"name"`
	// Hook is the type of the webhook that called, as in a Canary: pre-rollout, rollout, confirm-promotion, rollback, …
	Hook string `json:"hook,omitempty"`
	// URL is what the webhook asked for.
	URL string `json:"url"`
	// Phase is the canary's phase in the webhook's payload.
	Phase string `json:"phase"`
	// Passed says whether the gate answered 200; Status is the HTTP status, Reason its text.
	Passed bool   `json:"passed"`
	Status int    `json:"status"`
	Reason string `json:"reason"`
}

// RollbackDrill is a drill of the rollback path with marked probe requests.
type RollbackDrill struct {
	Canary string `json:"canary"`
	Passed bool   `json:"passed"`
	Reason string `json:"reason"`
	// Forward and Back count the probes that reached the canary under the drill's route and the primary after it.
	Forward int `json:"forward"`
	Back    int `json:"back"`
	Probes  int `json:"probes"`
}

// Traffic is one second of requests, as aggregates. Requests count in the second in which their users got the answer.
type Traffic struct {
	// From and To bound the second, as times since the run's start.
	From  Seconds `json:"from"`
	To    Seconds `json:"to"`
	Cells []Cell  `json:"cells"`
	// HurtSoFar counts the distinct users who had a harmed request up to the end of the second. Logs of older coalmines lack it,
	// and so may those of clusters that cannot tell users apart.
	HurtSoFar int `json:"hurt_so_far,omitempty"`
}

// Cell counts the requests of one cohort on one route that one workload served. Workload is the released service's Deployment
// that did: the service's name for the canary, with -primary behind it for the primary (as [Workload] names them), and
// Version what it ran; both are "" for requests that never reached the service.
type Cell struct {
	Cohort   string `json:"cohort"`
	Route    string `json:"route"`
	Workload string `json:"workload,omitempty"`
	Version  string `json:"version,omitempty"`
	// N counts requests; all further counts are parts of it, but for Retried.
	N int `json:"n"`
	// Retried counts attempts that this workload answered and that their clients made again: the request counts where it ended.
	Retried int `json:"retried,omitempty"`
	// Errors answered 5xx or not at all, Denied answered 403, Limited 429.
	Errors  int `json:"errors,omitempty"`
	Denied  int `json:"denied,omitempty"`
	Limited int `json:"limited,omitempty"`
	// Slow took longer than the route's objective; Wrong answered 200 with wrong content.
	Slow  int `json:"slow,omitempty"`
	Wrong int `json:"wrong,omitempty"`
	// Bad is what users would call bad: any of the above. A request counts once.
	Bad int `json:"bad,omitempty"`
	// Hit were touched by the injected fault (ground truth); Harm are those of them that were bad.
	Hit  int `json:"hit,omitempty"`
	Harm int `json:"harm,omitempty"`
	// Latency is a sparse histogram of what users waited: pairs of bucket index (see [LatencyBucket]) and count.
	Latency []BucketCount `json:"lat,omitempty"`
}

// TrafficTotals closes the traffic: counts over the whole run that no sum of seconds can give.
type TrafficTotals struct {
	// Planned arrivals up to the end, Answered requests, and those still open when the run ended.
	Planned  int `json:"planned"`
	Answered int `json:"answered"`
	Open     int `json:"open"`
	// Retries counts the attempts after the first ones.
	Retries int `json:"retries,omitempty"`
	// Users counts distinct users, Hurt those of them with at least one harmed request, per cohort.
	Users map[string]int `json:"users,omitempty"`
	Hurt  map[string]int `json:"hurt,omitempty"`
	// Assigned counts distinct users per cohort and workload of the released service during the rollout, keyed
	// cohort → workload: the sample ratio of an experiment.
	Assigned map[string]map[string]int `json:"assigned,omitempty"`
}

// Seconds is a time since the run's start that stands in the log as decimal seconds.
type Seconds time.Duration

// Kind implements [Fact] for every fact of the package.
func (RunStarted) Kind() Kind    { return KindRunStarted }
func (Stage) Kind() Kind         { return KindStage }
func (RunEnded) Kind() Kind      { return KindRunEnded }
func (Applied) Kind() Kind       { return KindApplied }
func (Deleted) Kind() Kind       { return KindDeleted }
func (Released) Kind() Kind      { return KindReleased }
func (Workload) Kind() Kind      { return KindWorkload }
func (Canary) Kind() Kind        { return KindCanary }
func (Flagger) Kind() Kind       { return KindFlagger }
func (Alert) Kind() Kind         { return KindAlert }
func (Route) Kind() Kind         { return KindRoute }
func (Query) Kind() Kind         { return KindQuery }
func (Gate) Kind() Kind          { return KindGate }
func (RollbackDrill) Kind() Kind { return KindRollbackDrill }
func (Traffic) Kind() Kind       { return KindTraffic }
func (TrafficTotals) Kind() Kind { return KindTrafficTotals }
