package guardrail

import "time"

// Limits of the input. Guardrails are not trusted: each limit bounds the time or memory that one
// submission can cost. Each is about ten times what the largest exercise needs.
const (
	// MaxFileSize is the size of one manifest in bytes. A megabyte parses in well under a second.
	MaxFileSize = 1 << 20
	// MaxTotalSize is the size of all manifests in bytes. The run folder keeps a copy of them.
	MaxTotalSize = 4 << 20
	// MaxFiles is the number of manifests. A repository of a platform team has several hundred.
	MaxFiles = 1000
	// MaxEntries is the number of folder entries, manifests or not, that are read. It stops a walk
	// through a home folder.
	MaxEntries = 20_000
	// MaxFolderDepth is the depth to which folders may nest.
	MaxFolderDepth = 8
	// MaxDocuments is the number of YAML documents in all files.
	MaxDocuments = 2000
	// MaxYAMLDepth is the depth to which mappings and lists may nest. The deepest Canary has 10
	// levels. Recursion is as deep as this.
	MaxYAMLDepth = 40
	// MaxNodes is the number of YAML nodes (mappings, lists, scalars) in all files, aliases counted as
	// what they stand for. A node costs about 200 bytes.
	MaxNodes = 200_000
	// MaxFlowDepth is the number of [ and { that may be open at once in a file. The YAML scanner's
	// time per token grows with it, so it is checked before the scanner runs.
	MaxFlowDepth = 1000
	// MaxItems is the number of entries in one list of an object (metrics, webhooks, alerts,
	// matches), some ten times those of the longest in use.
	MaxItems = 300
	// MaxParseTime limits the real time of checking all manifests, which takes less than a second.
	MaxParseTime = time.Minute
	// MaxReplicas is the number of replicas that an autoscaler may allow. Each costs memory.
	MaxReplicas = 20
	// MaxRetries is how often proxies of the sim send a request again. Each attempt costs time, and
	// attempts of proxies along the way multiply.
	MaxRetries = 10
)

// Limits of a query. Each metric runs its query once per interval, on an hour or two of samples.
const (
	// MaxQueryLength is in bytes, before and after rendering.
	MaxQueryLength = 4096
	// MaxQuerySelectors is the number of series selectors in one query.
	MaxQuerySelectors = 20
	// MaxQueryRange is the longest range, offset or subquery. No run lasts longer.
	MaxQueryRange = time.Hour
	// MaxSubquerySteps is the number of times that a subquery may evaluate its inner expression.
	// The steps of nested subqueries are multiplied.
	MaxSubquerySteps = 360
	// MaxQuerySamples is the number of samples per series that a query may read, over all
	// selectors: their ranges times the steps of subqueries around them. With the two thousand
	// series of a busy lab, such a query takes a few seconds.
	MaxQuerySamples = 7200
	// SampleInterval is the lab's scrape interval, which is Linkerd's.
	SampleInterval = 10 * time.Second
	// DefaultSubqueryStep is the step of a subquery without one, Prometheus' default evaluation
	// interval.
	DefaultSubqueryStep = time.Minute
	// MaxRegexLength is the length in bytes of a label matcher or header match.
	MaxRegexLength = 512
	// MaxRegexSize is the size of one regular expression in compiled instructions and character
	// ranges. The largest of an exercise has a hundred; a class such as \pL has 1300.
	MaxRegexSize = 3000
	// MaxTotalRegexSize is the size of all regular expressions. They compile in some 100 ms.
	MaxTotalRegexSize = 100_000
	// MaxQueryRegexSize is the size of all regular expressions of one query.
	MaxQueryRegexSize = 5000
	// MaxQueryMatchers is the number of label matchers in one query.
	MaxQueryMatchers = 100
	// MaxQueries is the number of metrics in all Canaries that are asked. Each costs a query per
	// interval. Further ones are left out.
	MaxQueries = 200
	// MaxRegexNames is the number of metric names that a matcher on __name__ may list.
	MaxRegexNames = 10
)

// MinAnalysisInterval is the shortest interval that Flagger uses. It silently raises a shorter one.
// Source: flagger pkg/apis/flagger/v1beta1/canary.go, GetAnalysisInterval.
const MinAnalysisInterval = 10 * time.Second

// maxQuoted is the number of bytes of a value that a message shows.
const maxQuoted = 80
