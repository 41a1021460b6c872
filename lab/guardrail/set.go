// Package guardrail reads, decodes and validates guardrails: the Kubernetes manifests that a run is
// played with. The folder they come from is not trusted. The package does not access a cluster.
package guardrail

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"coalmine/lab/guardrail/mapping"
	"coalmine/lab/input/digest"
)

// Set is a validated set of guardrails.
type Set struct {
	// Objects are in the order in which they can be applied to a cluster.
	Objects []Object
	// Files are the manifests with guardrails in them as read, by path relative to the folder.
	Files map[string][]byte
	// Environment is what the set was validated against.
	Environment Environment
	// Notes say what was read otherwise than it is written, or not at all.
	Notes []Finding
	// Others are the documents of kinds that cannot be guardrails.
	Others []Other
}

// Other is a document of a kind that cannot be a guardrail.
type Other struct {
	APIVersion, Kind, Namespace, Name string
	Source                            Position
}

// Digest returns the SHA-256 digest of the manifests as read. It is "" for a nil set, and for one
// that was not read from files.
func (s *Set) Digest() string {
	if s == nil || s.Files == nil {
		return ""
	}
	return digest.Files(s.Files)
}

// Find returns the object of the given kind and name.
func (s *Set) Find(kind, name string) (Object, bool) {
	i := slices.IndexFunc(s.Objects, func(o Object) bool { return o.Kind == kind && o.Name == name })
	if i < 0 {
		return Object{}, false
	}
	return s.Objects[i], true
}

// Object is one decoded object.
type Object struct {
	Kind      string
	Namespace string
	Name      string
	// Source is where the document starts.
	Source Position
	// Value is the typed object: a type of Flagger, of the Gateway API, of Kubernetes, or one of
	// the Linkerd policy types of this package.
	Value runtime.Object

	document *document
}

// Finding returns a finding about a field of the object, at the line where the field is written.
func (o Object) Finding(field, message, hint string) Finding {
	return o.document.finding(field, message, hint)
}

// Has reports whether the manifest sets the field, even to a zero value.
func (o Object) Has(field string) bool { return o.document.has(field) }

// Position is a place in a manifest. Line is 0 if the place is the whole file, Column if only the
// line is known; both count from 1.
type Position struct {
	File         string
	Line, Column int
}

// Finding is an error in a manifest, or a warning or note about it.
type Finding struct {
	Position
	// Field is the path of the field, for example spec.analysis.interval.
	Field string
	// Message says what is wrong, Hint what to do.
	Message string
	Hint    string
	// Rule is the name of the lint rule, "" for most errors and notes of the reader.
	Rule string
	// Severity is that of an error if it is not set.
	Severity Severity
}

// Severity says what follows from a finding.
type Severity int

// An error prevents a run. A warning does not: the manifest is valid and likely to be wrong. A note
// says how the lab differs from a cluster.
const (
	SeverityError Severity = iota
	SeverityWarning
	SeverityNote
)

// String returns the word that is printed before a finding.
func (s Severity) String() string {
	switch s {
	case SeverityWarning:
		return "warning"
	case SeverityNote:
		return "note"
	}
	return "error"
}

// String formats the position as file:line. It quotes a file name that could steer a terminal.
func (p Position) String() string {
	file := p.File
	if !isGraphic(file) {
		file = strconv.QuoteToGraphic(file)
	}
	if p.Line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, p.Line)
}

// String formats the finding as "file:line: field: message; hint".
func (f Finding) String() string {
	s := f.Position.String() + ": "
	if f.Field != "" {
		s += f.Field + ": "
	}
	s += f.Message
	if f.Hint != "" {
		s += "; " + f.Hint
	}
	return s
}

// Environment describes the cluster that the guardrails will be applied to.
type Environment struct {
	// Namespace is the only namespace that objects may be in.
	Namespace string
	// Targets are the names of the Deployments that a Canary may target.
	Targets []string
	// ReleaseTarget is the Deployment that the scenario releases. If it is set, one Canary must
	// target it.
	ReleaseTarget string
	// Ports maps a target to the port of its Service.
	Ports map[string]int
	// TargetPorts maps a target to the port that its pods listen on.
	TargetPorts map[string]int
	// Horizon is how long the run continues after the release; 0 if it is not known.
	Horizon time.Duration
	// VersionLabels are the labels of pods that depend on the version that the pods run.
	VersionLabels []string
	// Clients are the workloads outside the services that send users' requests.
	Clients []string
	// Rates maps a target to the requests that it gets per second, ErrorRates to the share of them
	// that fail although nothing is wrong. What is not known is missing.
	Rates, ErrorRates map[string]float64
	// Latencies maps a target to how long a sample of its requests takes if nothing is wrong, sorted.
	Latencies map[string][]time.Duration
	// Cohorts are the users whom a foreign experiment may have; none where the guardrails have to say
	// whom theirs has.
	Cohorts []mapping.Cohort
	// Now is the date of the check; the zero time if it is not known.
	Now time.Time
	// Map maps names in the manifests to targets and clients, in addition to the manifests' own
	// mapping.
	Map []NameRule
}
