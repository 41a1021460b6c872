package guardrail

import "time"

// Limits of the input. Guardrails are hostile: each limit bounds the time or memory that one submission can cost, and lies
// an order of magnitude above what the largest course exercise needs.
const (
	// MaxFileSize is in bytes. Manifests are kilobytes; a megabyte still parses in well under a second.
	MaxFileSize = 1 << 20
	// MaxTotalSize is in bytes, of all manifests: the run folder keeps a copy of them.
	MaxTotalSize = 4 << 20
	// MaxFiles is the number of manifests.
	MaxFiles = 200
	// MaxEntries is the number of folder entries that a walk looks at, manifests or not: somebody will pass a home folder.
	MaxEntries = 5000
	// MaxFolderDepth is how deep folders may nest.
	MaxFolderDepth = 8
	// MaxDocuments is the number of YAML documents in all files; each may become an object in the cluster.
	MaxDocuments = 200
	// MaxYAMLDepth is how deep mappings and lists may nest. The deepest Canary has 10 levels; recursion follows this depth.
	MaxYAMLDepth = 40
	// MaxNodes is the number of YAML nodes (mappings, lists, scalars) in all files. A node costs about 200 bytes.
	MaxNodes = 50_000
	// MaxFlowDepth is the number of [ and { in a file that may be open at once. The YAML scanner takes time in proportion to
	// it for every token, so it is looked at before the scanner runs.
	MaxFlowDepth = 1000
	// MaxItems is the number of entries in one list of a Canary (metrics, webhooks, alerts, matches, weights): each metric
	// costs a query per interval.
	MaxItems = 30
	// MaxReplicas is what an autoscaler may ask for: each replica costs the lab memory.
	MaxReplicas = 20
)

// Limits of a query. A query runs once per metric and interval, against a store that holds an hour or two of 10 s scrapes.
const (
	// MaxQueryLength is in bytes, before and after rendering. Prometheus itself takes queries in a URL.
	MaxQueryLength = 4096
	// MaxQuerySelectors is the number of series selectors in one query.
	MaxQuerySelectors = 20
	// MaxQueryRange is the longest range, offset or subquery: no run lasts longer.
	MaxQueryRange = time.Hour
	// MaxSubquerySteps is how many times a subquery may evaluate its inner expression, nested subqueries multiplied.
	MaxSubquerySteps = 360
	// MaxQuerySamples is how many samples one answer may read of one series, over all selectors: ranges, times the steps of
	// subqueries around them. Two thousand series, which is what a busy lab has, are then read in a few seconds.
	MaxQuerySamples = 7200
	// SampleInterval is the time between two samples of a series, Prometheus' scrape interval in the lab.
	SampleInterval = 10 * time.Second
	// DefaultSubqueryStep is the step of a subquery that names none: Prometheus' default evaluation interval.
	DefaultSubqueryStep = time.Minute
	// MaxRegexLength is in bytes, of a label matcher or a header match.
	MaxRegexLength = 512
	// MaxRegexNames is how many metric names a matcher on __name__ may stand for.
	MaxRegexNames = 10
)

// Limits of a webhook.
const (
	// MaxWebhookTimeout bounds how long one call may hold Flagger's control loop up.
	MaxWebhookTimeout = time.Minute
	// MaxWebhookRetries bounds how often it is repeated; Flagger's client doubles its wait up to 30 s each time.
	MaxWebhookRetries = 10
)

// MinAnalysisInterval is the shortest interval that Flagger keeps to: it silently raises a shorter one.
// Source: flagger pkg/apis/flagger/v1beta1/canary.go, GetAnalysisInterval.
const MinAnalysisInterval = 10 * time.Second

// maxQuoted is how much of a value an error repeats.
const maxQuoted = 80
