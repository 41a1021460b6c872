package app

import (
	"errors"
	"time"
)

// Model is a behaviour made ready for millions of requests. It may be used by several goroutines at once.
type Model struct{}

// Compile makes a model. Models of different services should get different seeds, or their draws coincide.
func Compile(b Behaviour, v Vocabulary, seed uint64) (*Model, error) {
	return nil, errors.New("app: not yet")
}

// Validate returns every finding, joined; each names the field.
func (b Behaviour) Validate() error { return nil }

// Begin decides what the service does with a request, from seed, request and state alone.
func (m *Model) Begin(r Request, s State) Work { return Work{} }

// Hit names the faults that touch a request, in order; nil for none.
func (m *Model) Hit(r Request, s State) []string { return nil }

// Admission is a pod's first answer to a request.
type Admission uint8

// What a pod can do with a request.
const (
	// Started means that work has begun.
	Started Admission = iota
	// Queued means that the request waits for a slot.
	Queued
	// Rejected means that slots and queue are full: answer 503 at once.
	Rejected
	// Refused means that the pod is not ready or was killed: the connection fails.
	Refused
)

// Job is a request in a pod. Tag is the caller's own.
type Job struct {
	Request Request
	Tag     uint64
}

// Slot is a place of work in a pod. It goes stale when the pod restarts.
type Slot struct{ index, life uint32 }

// Start tells the caller that work on a job has begun: schedule [Pod.Done] when the work is over.
type Start struct {
	Job  Job
	Slot Slot
	Work Work
}

// Pod is one pod's slots, queue and memory in virtual time. The caller owns the clock and the events.
type Pod struct{}

// NewPod returns a pod that is ready from readyAt on.
func NewPod(m *Model, readyAt time.Duration) *Pod { return &Pod{} }

// SetWeight sets the share of the service's traffic that the pod's version gets, in percent.
func (p *Pod) SetWeight(percent float64) {}

// Offer brings a job. Start is valid when the admission is Started.
func (p *Pod) Offer(now time.Duration, j Job) (Start, Admission) { return Start{}, Rejected }

// Done says that the job in a slot was answered. A queued job may start in its place. When the job's Work.Hold is not
// zero, the slot stays busy: call Release that much later. Check Killed afterwards.
func (p *Pod) Done(now time.Duration, s Slot) (next Start, ok bool) { return Start{}, false }

// Release frees a slot that was held after its answer. A queued job may start in its place.
func (p *Pod) Release(now time.Duration, s Slot) (next Start, ok bool) { return Start{}, false }

// Valid tells whether a slot is of the pod's present life and still in use.
func (p *Pod) Valid(s Slot) bool { return false }

// Killed tells whether the pod ran out of memory: call Abort, then Restart.
func (p *Pod) Killed() bool { return false }

// Kill ends the pod from outside: it refuses everything until Restart.
func (p *Pod) Kill() {}

// Abort hands over every job that is in work or waits: they end without an answer. Slots go stale.
func (p *Pod) Abort(each func(Job)) {}

// Restart begins a new life, ready at readyAt, with empty slots, queue and memory at base. Jobs not aborted are lost.
func (p *Pod) Restart(readyAt time.Duration) {}

// Ready tells whether the pod takes requests.
func (p *Pod) Ready(now time.Duration) bool { return false }

// InWork counts jobs in work, Held slots kept busy after an answer, Waiting jobs in the queue.
func (p *Pod) InWork() int { return 0 }

// Held counts slots that are kept busy after an answer.
func (p *Pod) Held() int { return 0 }

// Waiting counts jobs in the queue.
func (p *Pod) Waiting() int { return 0 }

// Peak returns the largest number of jobs in work or waiting so far.
func (p *Pod) Peak() int { return 0 }

// Memory in use, in MiB.
func (p *Pod) Memory() float64 { return 0 }

// Restarts counts the lives after the first.
func (p *Pod) Restarts() int { return 0 }
