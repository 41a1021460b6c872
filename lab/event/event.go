// Package event defines the typed facts of a run and their log.
//
// Everything that happens in a run is an [Event]: a sequence number, a time since the run's start
// and a [Fact]. Facts are recorded before they are shown; timeline, score, reports and screens are
// pure functions of the events. The package imports no other package of the module.
package event

import "time"

// Format is the version of the log's format. It is increased when a reader of the old format would
// misread the new one. Format 2 added [Cell].ByMesh; format 1 is still read.
const Format = 2

// Kind names the type of a fact on the wire.
type Kind string

// Fact is something that happened. It is implemented only by types of this package.
type Fact interface {
	Kind() Kind
}

// Event is a fact with its position in the run.
type Event struct {
	// Seq counts from 1 without gaps, in log order.
	Seq int
	// At is the time since the run's start, in whole microseconds.
	At time.Duration
	// Fact is never nil.
	Fact Fact
}
