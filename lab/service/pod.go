package service

import "time"

// Admission is a pod's first answer to a job.
type Admission uint8

// What a pod can do with a job.
const (
	// Started means that work has begun.
	Started Admission = iota
	// Queued means that the job waits for a slot: it starts from a later Done or Release.
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

// Start tells that work on a job has begun. The caller answers when the work is over, and calls [Pod.Done] then.
type Start struct {
	Job  Job
	Slot Slot
	Work Work
}

// Pod is one pod's slots, queue and memory in virtual time. The caller owns clock and events; times are those of one
// clock and never go back. Once slots and queue have grown to what the traffic needs, nothing is allocated. A pod is for one
// goroutine.
type Pod struct {
	model    *Model
	readyAt  time.Duration
	weight   float64
	decide   func(Job, State) Work
	slots    slotTable
	queue    queue
	memory   float64
	peak     int
	restarts int
	killed   bool
}

// NewPod returns a pod that is ready from readyAt on, and gets all of the service's traffic until SetWeight says otherwise.
func NewPod(m *Model, readyAt time.Duration) *Pod {
	return &Pod{
		model: m, readyAt: readyAt, weight: 100, memory: m.behaviour.Memory.Base,
		queue: queue{limit: m.behaviour.Capacity.Queue},
	}
}

// SetWeight sets the share of the service's traffic that the pod's version gets, in percent.
func (p *Pod) SetWeight(percent float64) { p.weight = percent }

// SetDecider lets a function decide what is done with a job, in the place of the pod's model: for requests that bring more to
// decide by than a plan knows. It is called with what [Model.Begin] would be, when work on the job begins.
func (p *Pod) SetDecider(decide func(Job, State) Work) { p.decide = decide }

// Offer brings a job. Start is filled in when the admission is Started.
func (p *Pod) Offer(now time.Duration, j Job) (Start, Admission) {
	switch {
	case !p.Ready(now):
		return Start{}, Refused
	case p.hasSlot():
		return p.start(now, j), Started
	case p.queue.push(j):
		p.peak = max(p.peak, p.InWork()+p.Waiting())
		return Start{}, Queued
	default:
		return Start{}, Rejected
	}
}

// Done says that the job in a slot is answered; its memory is lost now. When the job's Work.Hold is not zero, the slot
// stays busy: call Release that much later. Otherwise the first waiting job starts in its place, and is returned. A stale
// slot changes nothing. Ask Killed afterwards.
func (p *Pod) Done(now time.Duration, s Slot) (next Start, ok bool) {
	w, ok := p.slots.finish(s)
	if !ok {
		return Start{}, false
	}
	p.memory += w.Grow
	if limit := p.model.behaviour.Memory.Limit; limit > 0 && p.memory > limit {
		p.killed = true
	}
	return p.next(now)
}

// Release frees a slot that was held after its answer. The first waiting job starts in its place, and is returned. A stale
// slot changes nothing.
func (p *Pod) Release(now time.Duration, s Slot) (next Start, ok bool) {
	if !p.slots.release(s) {
		return Start{}, false
	}
	return p.next(now)
}

// next starts the first waiting job, if there is one and a slot for it.
func (p *Pod) next(now time.Duration) (Start, bool) {
	if p.killed || p.queue.len() == 0 || !p.hasSlot() {
		return Start{}, false
	}
	return p.start(now, p.queue.pop()), true
}

func (p *Pod) start(now time.Duration, j Job) Start {
	s := p.slots.acquire(j)
	p.peak = max(p.peak, p.InWork()+p.Waiting())
	w := p.work(j, State{Uptime: now - p.readyAt, InWork: p.slots.working, Weight: p.weight})
	p.slots.setWork(s, w)
	return Start{Job: j, Slot: s, Work: w}
}

func (p *Pod) work(j Job, s State) Work {
	if p.decide != nil {
		return p.decide(j, s)
	}
	return p.model.Begin(j.Request, s)
}

func (p *Pod) hasSlot() bool {
	most := p.model.behaviour.Capacity.Concurrency
	return most == 0 || p.slots.working+p.slots.held < most
}

// Valid tells whether the job in a slot is still to be answered: not after Done, and not after Abort or Restart. An event
// loop drops the answers of slots that are not valid.
func (p *Pod) Valid(s Slot) bool { return p.slots.at(s, slotWorking) != nil }

// Killed tells whether the pod ran out of memory or was killed: call Abort, then Restart.
func (p *Pod) Killed() bool { return p.killed }

// Kill ends the pod from outside: it refuses everything until Restart.
func (p *Pod) Kill() { p.killed = true }

// Abort hands over every job that is in work, in the order of slots, and then every one that waits, in their order: they
// end without an answer. All slots go stale, held ones too.
func (p *Pod) Abort(each func(Job)) {
	p.slots.clear(each)
	for p.queue.len() > 0 {
		each(p.queue.pop())
	}
}

// Restart begins a new life, ready at readyAt, with memory at base. Jobs that were not aborted are lost.
func (p *Pod) Restart(readyAt time.Duration) {
	p.Abort(func(Job) {})
	p.readyAt, p.killed, p.memory = readyAt, false, p.model.behaviour.Memory.Base
	p.restarts++
}

// Ready tells whether the pod takes jobs.
func (p *Pod) Ready(now time.Duration) bool { return !p.killed && now >= p.readyAt }

// InWork counts jobs in work: started and not done.
func (p *Pod) InWork() int { return p.slots.working }

// Held counts slots that are kept busy after an answer.
func (p *Pod) Held() int { return p.slots.held }

// Waiting counts jobs in the queue.
func (p *Pod) Waiting() int { return p.queue.len() }

// Peak is the largest number of jobs in work and waiting at once, over all lives.
func (p *Pod) Peak() int { return p.peak }

// Memory in use, in MiB.
func (p *Pod) Memory() float64 { return p.memory }

// Restarts counts the lives after the first.
func (p *Pod) Restarts() int { return p.restarts }
