package event

// Values of facts that both clusters and readers of the log use.

// Phases of a Canary, as Flagger names them (flagger, pkg/apis/flagger/v1beta1/status.go).
const (
	PhaseInitializing     = "Initializing"
	PhaseInitialized      = "Initialized"
	PhaseWaiting          = "Waiting"
	PhaseProgressing      = "Progressing"
	PhaseWaitingPromotion = "WaitingPromotion"
	PhasePromoting        = "Promoting"
	PhaseFinalising       = "Finalising"
	PhaseSucceeded        = "Succeeded"
	PhaseFailed           = "Failed"
)

// Gates of the lab, by the path at which a webhook calls them. A gate that passes answers 200.
const (
	// GateMTLS checks that every client of the canary used mutual TLS and had a mesh identity.
	GateMTLS = "mtls"
	// GatePolicy checks that policy protects the service's pods and allows its clients.
	GatePolicy = "policy"
	// GateRollbackDrill runs a rollback drill.
	GateRollbackDrill = "rollback-drill"
	// GateVolume checks that the canary has served enough requests to be judged.
	GateVolume = "volume"
	// GateCohort checks the error rate of one cohort on the canary.
	GateCohort = "cohort"
	// GateApprove waits for the approval of a person.
	GateApprove = "approve"
	// GateEvents always passes. It is for webhooks of type event only.
	GateEvents = "events"
)

// Calls of a Canary's webhooks to other servers than the lab's gates.
const (
	// GateLoadTest is a load test that a load tester of Flagger starts.
	GateLoadTest = "load-test"
	// GateTask is a task that a load tester runs while the webhook waits, such as an acceptance test.
	GateTask = "task"
	// GateWebhook is any other server.
	GateWebhook = "webhook"
)

// HookRollback is the type of webhooks whose success makes Flagger roll back (flagger,
// pkg/apis/flagger/v1beta1/canary.go).
const HookRollback = "rollback"

// Owners of applied objects.
const (
	OwnerLearner  = "learner"
	OwnerScenario = "scenario"
)

// Parts of the guardrails that a cluster may leave out.
const (
	// LeftOutCheck is a metric of a Canary that the lab cannot ask.
	LeftOutCheck = "check"
	// LeftOutQuery is a metric that is asked by another query than the one in the manifests.
	LeftOutQuery = "query"
	// LeftOutMesh is another mesh or ingress, in whose place Linkerd splits the traffic.
	LeftOutMesh = "mesh"
	// LeftOutMatch is a condition of an A/B test that no user meets, and in whose place others take part.
	LeftOutMatch = "match"
	// LeftOutInterval is an interval of an analysis that takes longer than the scenario.
	LeftOutInterval = "interval"
	// LeftOutMirror is a copy of the requests for the canary.
	LeftOutMirror = "mirror"
	// LeftOutWebhook is a webhook that calls or runs what the lab does not have.
	LeftOutWebhook = "webhook"
	// LeftOutAutoscaler is an autoscaler, or a part of one.
	LeftOutAutoscaler = "autoscaler"
)

// Annotations of a Canary that describe an experiment. Start and end are dates or RFC 3339 times,
// or "release" and a duration.
const (
	AnnotationOwner      = "coalmine.dev/owner"
	AnnotationStart      = "coalmine.dev/start"
	AnnotationEnd        = "coalmine.dev/end"
	AnnotationHypothesis = "coalmine.dev/hypothesis"
)
