// Package guardrail reads the learner's manifests: strict decoding, validation and lint of a folder that is taken for
// hostile. It knows the kinds that a guardrail may consist of; it talks to no cluster.
package guardrail

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
)

// Set is a validated set of guardrails, ready to be applied to a cluster in the order of Objects.
type Set struct {
	Objects []Object
	// Files are the manifests as they were read, by path relative to the folder, for the run folder.
	Files map[string][]byte
	// Warnings are findings of the linter that do not forbid a run.
	Warnings []Finding
}

// Object is one decoded object and where it stands.
type Object struct {
	Kind      string
	Namespace string
	Name      string
	// Source is where the document begins.
	Source Position
	// Value is the typed object: Flagger's, Gateway API's, core types, or the Linkerd policy types of this package.
	Value runtime.Object
}

// Position is a place in a manifest.
type Position struct {
	File string
	Line int
}

// Finding is an error or a warning about a place in a manifest.
type Finding struct {
	Position
	// Field is the path of the field, as in spec.analysis.interval.
	Field string
	// Message says what is wrong; Hint what to do.
	Message string
	Hint    string
	// Rule names the check, for lint's output.
	Rule string
}

func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// String is "file:line: field: what, and what to do".
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

// Environment is what validation has to know of the place where the guardrails will be applied.
type Environment struct {
	// Namespace to which objects are confined.
	Namespace string
	// Targets are the names of the Deployments that a Canary may have.
	Targets []string
	// ReleaseTarget is the Deployment that the scenario releases: one Canary must target it. "" asks for none.
	ReleaseTarget string
	// Ports by target, of its Service.
	Ports map[string]int
	// TargetPorts by target, on which its pods listen.
	TargetPorts map[string]int
}
