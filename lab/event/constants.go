package event

// Words that stand in facts and that both those who note them and those who read them use. A cluster may not know package
// timeline, nor timeline the learner's manifests: so the words have their home here.

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

// Gates of the lab, by the path under which a webhook calls them. Each answers 200 for yes and another status for no.
const (
	// GateMTLS asks whether every request to the canary came over mutual TLS from a mesh identity.
	GateMTLS = "mtls"
	// GatePolicy asks whether an authorization policy protects the canary and lets its clients in.
	GatePolicy = "policy"
	// GateRollbackDrill rehearses a rollback.
	GateRollbackDrill = "rollback-drill"
	// GateVolume asks whether the canary has served enough requests to be judged.
	GateVolume = "volume"
	// GateCohort asks whether one cohort of users is served well enough.
	GateCohort = "cohort"
	// GateApprove asks a person.
	GateApprove = "approve"
	// GateEvents asks nothing: it takes what webhooks of type event send, and nothing else may call it.
	GateEvents = "events"
)

// HookRollback is the type of the webhooks that Flagger asks whether to roll back (flagger,
// pkg/apis/flagger/v1beta1/canary.go): a yes rolls back.
const HookRollback = "rollback"

// Owners of applied objects.
const (
	OwnerLearner  = "learner"
	OwnerScenario = "scenario"
)

// Annotations of a Canary that say whose experiment an A/B test is, and bound it.
const (
	AnnotationOwner      = "coalmine.dev/owner"
	AnnotationStart      = "coalmine.dev/start"
	AnnotationEnd        = "coalmine.dev/end"
	AnnotationHypothesis = "coalmine.dev/hypothesis"
)
