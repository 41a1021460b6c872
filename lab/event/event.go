// Package event holds the typed facts of a run and their log.
//
// Everything that happened in a run is an [Event]: a sequence number, a time since the run's start and a [Fact]. Facts are
// recorded first and shown second; timeline, score, reports and screens are pure functions of them. The package is a leaf:
// it knows no scenario, no cluster and no view.
package event

import "time"

// Format is the version of the log's wire form. It rises when a reader of the old form would misread the new one.
const Format = 1

// Kind names the type of a fact on the wire.
type Kind string

// Fact is something that happened. The concrete types in this package are the only ones.
type Fact interface {
	Kind() Kind
}

// Event is a fact with its place in the run.
type Event struct {
	// Seq counts from 1 without gaps, in log order.
	Seq int
	// At is the time since the run's start, in whole microseconds.
	At time.Duration
	// Fact is what happened; never nil.
	Fact Fact
}
