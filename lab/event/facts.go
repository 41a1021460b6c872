package event

import "time"

// Kinds of facts in the log.
const (
	KindRunStarted    Kind = "run.started"
	KindStage         Kind = "run.stage"
	KindRunEnded      Kind = "run.ended"
	KindApplied       Kind = "object.applied"
	KindDeleted       Kind = "object.deleted"
	KindLeftOut       Kind = "left.out"
	KindReleased      Kind = "release"
	KindWorkload      Kind = "workload"
	KindCanary        Kind = "canary.status"
	KindFlagger       Kind = "flagger.event"
	KindAlert         Kind = "flagger.alert"
	KindRoute         Kind = "route"
	KindQuery         Kind = "metric.query"
	KindGate          Kind = "gate"
	KindRollbackDrill Kind = "rehearsal"
	KindLoadTest      Kind = "load.test"
	KindLoadTester    Kind = "load.tester"
	KindTraffic       Kind = "traffic"
	KindTrafficTotals Kind = "traffic.totals"
	KindMesh          Kind = "mesh"
)

// RunStarted is the first fact of every log.
type RunStarted struct {
	// Format is the writer's [Format].
	Format   int    `json:"format"`
	Scenario string `json:"scenario"`
	// Service is the released service.
	Service string `json:"service"`
	// Version is the released version, Baseline the version that ran before.
	Version  string `json:"version"`
	Baseline string `json:"baseline"`
	// Role is the role of the released version in the scenario: "faulty", "healthy" or "" for
	// another.
	Role string `json:"role,omitempty"`
	Seed uint64 `json:"seed"`
	// Cluster is "sim" or "kind"; Mesh names the data plane ("linkerd-model", "linkerd").
	Cluster string `json:"cluster"`
	Mesh    string `json:"mesh"`
	// Guarded is false for a run without guardrails: the release goes to all users at once.
	Guarded bool `json:"guarded"`
	// Versions are the versions of the components by name (coalmine, flagger, prometheus,
	// kubernetes).
	Versions map[string]string `json:"versions"`
	// ScenarioDigest and GuardrailsDigest are the SHA-256 digests of the files that were played.
	// They are "" in logs of older versions; the second is also "" without guardrails.
	ScenarioDigest   string `json:"scenario_sha256,omitempty"`
	GuardrailsDigest string `json:"guardrails_sha256,omitempty"`
	// Drawn are the scenario's parameters that the seed chose, by name; nil for a run with the
	// scenario's own.
	Drawn map[string]float64 `json:"drawn,omitempty"`
}

// Stages of a run, in order.
const (
	StagePrepare  = "prepare"  // services and guardrails are applied, Flagger creates the primary
	StageBaseline = "baseline" // traffic runs against the old version
	StageRollout  = "rollout"  // the new version was released
	StageSettle   = "settle"   // the canary reached a terminal phase; traffic continues to the horizon
)

// Stage marks the start of a stage of the run.
type Stage struct {
	Name string `json:"name"`
	// Reason says why the stage started, if that is not obvious.
	Reason string `json:"reason,omitempty"`
}

// Outcomes of a run. They do not judge the guardrails.
const (
	OutcomeCompleted   = "completed"   // the run reached its horizon
	OutcomeInterrupted = "interrupted" // the user stopped the run
	OutcomeLabFault    = "lab-fault"   // the lab failed, not the guardrails
	OutcomeNotReady    = "not-ready"   // the guardrails never reached phase Initialized, so there was no rollout
)

// RunEnded is the last fact of every log that was not cut off.
type RunEnded struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
}

// Applied records that an object was created in the cluster.
type Applied struct {
	ObjectKind string `json:"object_kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	// Owner is one of the Owner constants.
	Owner string `json:"owner"`
	// Source is file:line in the folder of guardrails, for the learner's objects.
	Source string `json:"source,omitempty"`
	// Annotations of the object that describe an experiment: see [AnnotationOwner].
	Annotations map[string]string `json:"annotations,omitempty"`
	// Metrics are the names of a Canary's metric checks, in the order in which Flagger asks them.
	Metrics []string `json:"metrics,omitempty"`
}

// Deleted records that an object was deleted during the run.
type Deleted struct {
	ObjectKind string `json:"object_kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// LeftOut records a part of the guardrails that is valid and that the cluster does not play.
type LeftOut struct {
	// What is one of the LeftOut constants, Name the part's name in the manifests.
	What string `json:"what"`
	Name string `json:"name"`
	// Canary is the Canary that has it, or "".
	Canary string `json:"canary,omitempty"`
	// Reason says why, Source where it is written, as file:line.
	Reason string `json:"reason"`
	Source string `json:"source,omitempty"`
}

// Released records that the new version was set on its Deployment.
type Released struct {
	Service string `json:"service"`
	Version string `json:"version"`
}

// Workload is the state of a Deployment, recorded when its replicas change.
type Workload struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Desired, Updated and Ready count pods.
	Desired int `json:"desired"`
	Updated int `json:"updated"`
	Ready   int `json:"ready"`
}

// Canary is the status of a Canary object, recorded when a field of it changes.
type Canary struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	// Target is the Deployment of the Canary; readers use Name if a log lacks it.
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

// Alert is one message that Flagger sent to an alert provider. The lab records it instead of
// delivering it.
type Alert struct {
	Canary   string `json:"canary"`
	Provider string `json:"provider"`
	// Severity is info, warn or error.
	Severity string `json:"severity"`
	Message  string `json:"message"`
}

// RouteRule is one rule of an HTTPRoute as the proxies apply it.
type RouteRule struct {
	// Match describes the conditions; "" matches all requests.
	Match string `json:"match,omitempty"`
	// Backends are Services with their weights, in the rule's order.
	Backends []RouteBackend `json:"backends"`
}

// RouteBackend is a share of a rule's traffic.
type RouteBackend struct {
	Service string `json:"service"`
	Weight  int    `json:"weight"`
}

// Route records how the proxies of clients route from now on.
type Route struct {
	Name  string      `json:"name"`
	Rules []RouteRule `json:"rules"`
}

// Query is one PromQL query of Flagger or a gate, and its result.
type Query struct {
	// Asker is the name of the canary, for Flagger's queries.
	Asker string `json:"asker,omitempty"`
	// Metric is the name of the check in the Canary if known, else that of the MetricTemplate.
	Metric string `json:"metric,omitempty"`
	PromQL string `json:"promql"`
	// Value is the value that Flagger uses (of the last sample); nil if the result was empty or
	// NaN. It may be infinite: Flagger compares that with the bounds like any number.
	Value *float64 `json:"value,omitempty"`
	// Min and Max are the check's thresholds, if known.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
	// Error is the error of the query engine, or "".
	Error string `json:"error,omitempty"`
}

// Gate is one call of a lab gate by a Canary webhook, and its answer.
type Gate struct {
	Canary string `json:"canary"`
	// Name is one of the Gate constants, or the path of a gate of a load tester, such as gate/check.
	Name string `json:"name"`
	// Hook is the type of the webhook in the Canary: pre-rollout, rollout, confirm-promotion,
	// rollback, …
	Hook string `json:"hook,omitempty"`
	// URL is the URL that the webhook called.
	URL string `json:"url"`
	// Phase is the canary's phase in the webhook's payload.
	Phase string `json:"phase"`
	// Passed is true if the gate answered 200.
	Passed bool `json:"passed"`
	// Late is set if the gate could not judge, since clients' proxies did not know the canary yet.
	Late bool `json:"late,omitempty"`
	// Status is the HTTP status and Reason the body of the answer.
	Status int    `json:"status"`
	Reason string `json:"reason"`
}

// RollbackDrill is the result of a rollback drill with probe requests.
type RollbackDrill struct {
	Canary string `json:"canary"`
	Passed bool   `json:"passed"`
	Reason string `json:"reason"`
	// Forward counts the probes that reached the canary by the drill's rule, Back those that
	// reached the primary after the rule was removed. Probes were sent each way.
	Forward int `json:"forward"`
	Back    int `json:"back"`
	Probes  int `json:"probes"`
}

// LoadTest is what a load test sent that a webhook of a Canary had started. Its requests are counted
// in metrics of the mesh and the services, but not as users' traffic.
type LoadTest struct {
	Canary string `json:"canary"`
	// Webhook is the name of the webhook, Service what was called.
	Webhook string `json:"webhook"`
	Service string `json:"service"`
	// From and To are when it ran, as times since the run's start.
	From Seconds `json:"from"`
	To   Seconds `json:"to"`
	// Requests counts those that were sent, Failed those answered 4xx or 5xx, OnCanary those that the
	// canary of the released service answered.
	Requests int `json:"requests"`
	Failed   int `json:"failed,omitempty"`
	OnCanary int `json:"on_canary,omitempty"`
}

// LoadTester is a webhook of a Canary that calls Flagger's own load tester. The lab does not see its
// answers: the log has no Gate or LoadTest of it, only what Flagger says of a webhook that failed.
type LoadTester struct {
	Canary string `json:"canary"`
	// Webhook is the name of the webhook, URL what it calls in place of its own.
	Webhook string `json:"webhook"`
	URL     string `json:"url"`
}

// Judges reports whether the gate says something about the release. Load tests are only started, and
// what the lab cannot run or call is taken as passed.
func (g Gate) Judges() bool {
	switch g.Name {
	case GateEvents, GateLoadTest, GateTask, GateWebhook:
		return false
	}
	return true
}

// Traffic is one second of requests, aggregated. A request counts in the second in which its user
// got the answer.
type Traffic struct {
	// From and To are the bounds of the second, as times since the run's start.
	From  Seconds `json:"from"`
	To    Seconds `json:"to"`
	Cells []Cell  `json:"cells"`
	// HurtSoFar counts the distinct users with a request in Harm or ByMesh up to the end of the
	// second. It is missing in logs of older versions, and of clusters that cannot tell users
	// apart.
	HurtSoFar int `json:"hurt_so_far,omitempty"`
}

// Cell counts the requests of one cohort on one route that one workload served. Workload is the
// Deployment of the released service: the service's name for the canary, and the name with the
// suffix -primary for the primary. Version is the version that it ran. Both are "" for requests
// that did not reach the service.
type Cell struct {
	Cohort   string `json:"cohort"`
	Route    string `json:"route"`
	Workload string `json:"workload,omitempty"`
	Version  string `json:"version,omitempty"`
	// N counts requests. All other counts except Retried are subsets of it.
	N int `json:"n"`
	// Retried counts attempts that this workload answered and that the client retried. The request
	// counts where its last attempt ended.
	Retried int `json:"retried,omitempty"`
	// ProxyRetried counts attempts that this workload got and that the client's proxy sent again,
	// because of guardrails or annotations of a Service. Its users notice only the time.
	ProxyRetried int `json:"proxyRetried,omitempty"`
	// Errors counts requests answered 5xx or not at all, Denied those answered 403, Limited 429.
	Errors  int `json:"errors,omitempty"`
	Denied  int `json:"denied,omitempty"`
	Limited int `json:"limited,omitempty"`
	// Slow counts requests slower than the route's objective, Wrong those with wrong content.
	Slow  int `json:"slow,omitempty"`
	Wrong int `json:"wrong,omitempty"`
	// Bad counts requests to which any of the above applies, or that a proxy answered in place of
	// the service, each once.
	Bad int `json:"bad,omitempty"`
	// Hit counts requests that the injected fault hit (ground truth), Harm those of them that were
	// bad.
	Hit  int `json:"hit,omitempty"`
	Harm int `json:"harm,omitempty"`
	// ByMesh counts bad requests that a proxy answered in place of the service (denied, no route,
	// no endpoint) and that the injected fault did not hit. It is missing in logs of format 1.
	ByMesh int `json:"mesh,omitempty"`
	// Latency is a sparse histogram of users' response times: pairs of bucket index (see
	// [LatencyBucket]) and count.
	Latency []BucketCount `json:"lat,omitempty"`
}

// Mesh is what retries, timeouts, circuit breaking, rate limits and policy did to the workloads' requests
// in some seconds. It is missing for seconds in which they did nothing, and in logs of clusters that
// cannot tell.
type Mesh struct {
	From  Seconds      `json:"from"`
	To    Seconds      `json:"to"`
	Cells []MeshEffect `json:"cells"`
	// ByProxies is set if the counts are from the proxies' own series, in which circuit breakers and
	// applications leave no trace: Ejected, Repeated and GivenUp are unknown.
	ByProxies bool `json:"byProxies,omitempty"`
}

// MeshEffect counts attempts at requests to a workload of a demo service, by users' clients and by
// other services.
type MeshEffect struct {
	Service string `json:"service"`
	// Workload is the Deployment and Version what it runs, or "" for attempts that reached no pod.
	Workload string `json:"workload,omitempty"`
	Version  string `json:"version,omitempty"`
	// Attempts that pods got, from the first effect of the run on.
	Attempts int `json:"attempts,omitempty"`
	// Retried counts attempts that the client's proxy sent again, Repeated those that the process of
	// another service did.
	Retried  int `json:"retried,omitempty"`
	Repeated int `json:"repeated,omitempty"`
	// TimedOut counts attempts that a timeout of the client's proxy ended, GivenUp those that the
	// process of another service did.
	TimedOut int `json:"timedOut,omitempty"`
	GivenUp  int `json:"givenUp,omitempty"`
	// Ejected counts how often a client's circuit breaker took a pod out.
	Ejected int `json:"ejected,omitempty"`
	// Limited and Denied count attempts that the pods' proxies answered with 429, and with 403 or
	// another refusal by policy.
	Limited int `json:"limited,omitempty"`
	Denied  int `json:"denied,omitempty"`
}

// Any reports whether there is anything but attempts.
func (m MeshEffect) Any() bool {
	return m.Retried+m.Repeated+m.TimedOut+m.GivenUp+m.Ejected+m.Limited+m.Denied > 0
}

// Plus adds the counts of another effect.
func (m MeshEffect) Plus(o MeshEffect) MeshEffect {
	m.Attempts, m.Retried, m.Repeated = m.Attempts+o.Attempts, m.Retried+o.Retried, m.Repeated+o.Repeated
	m.TimedOut, m.GivenUp, m.Ejected = m.TimedOut+o.TimedOut, m.GivenUp+o.GivenUp, m.Ejected+o.Ejected
	m.Limited, m.Denied = m.Limited+o.Limited, m.Denied+o.Denied
	return m
}

// TrafficTotals ends the traffic: counts over the whole run that are not sums over seconds.
type TrafficTotals struct {
	// Planned counts arrivals up to the end, Answered the requests answered, Open those still in
	// flight.
	Planned  int `json:"planned"`
	Answered int `json:"answered"`
	Open     int `json:"open"`
	// Retries counts attempts after the first.
	Retries int `json:"retries,omitempty"`
	// Users counts distinct users per cohort, Hurt those of them with at least one request in Harm
	// or ByMesh.
	Users map[string]int `json:"users,omitempty"`
	Hurt  map[string]int `json:"hurt,omitempty"`
	// Assigned counts distinct users by cohort and workload of the released service during the
	// rollout: the sample ratio of an experiment.
	Assigned map[string]map[string]int `json:"assigned,omitempty"`
}

// Seconds is a time since the run's start that is encoded as decimal seconds.
type Seconds time.Duration

// Kind implements [Fact].
func (RunStarted) Kind() Kind    { return KindRunStarted }
func (Stage) Kind() Kind         { return KindStage }
func (RunEnded) Kind() Kind      { return KindRunEnded }
func (Applied) Kind() Kind       { return KindApplied }
func (Deleted) Kind() Kind       { return KindDeleted }
func (LeftOut) Kind() Kind       { return KindLeftOut }
func (Released) Kind() Kind      { return KindReleased }
func (Workload) Kind() Kind      { return KindWorkload }
func (Canary) Kind() Kind        { return KindCanary }
func (Flagger) Kind() Kind       { return KindFlagger }
func (Alert) Kind() Kind         { return KindAlert }
func (Route) Kind() Kind         { return KindRoute }
func (Query) Kind() Kind         { return KindQuery }
func (Gate) Kind() Kind          { return KindGate }
func (RollbackDrill) Kind() Kind { return KindRollbackDrill }
func (LoadTest) Kind() Kind      { return KindLoadTest }
func (LoadTester) Kind() Kind    { return KindLoadTester }
func (Traffic) Kind() Kind       { return KindTraffic }
func (TrafficTotals) Kind() Kind { return KindTrafficTotals }
func (Mesh) Kind() Kind          { return KindMesh }
