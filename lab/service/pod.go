package service

import "time"

// Admission is the result of offering a job to a pod.
type Admission uint8

// Results of [Pod.Offer].
const (
	// Started means that work on the job has started.
	Started Admission = iota
	// Queued means that the job waits for a slot: a later Done or Release returns its start.
	Queued
	// Rejected means that slots and queue are full: the answer is 503.
	Rejected
	// Refused means that the pod is not ready or was killed: the connection fails.
	Refused
)

// Job is a request in a pod. Tag is for the caller.
type Job struct {
	Request Request
	Tag     uint64
	// Headers are those of the request, if they are not all that its user sends; otherwise nil.
	Headers RequestHeaders
}

// Start is the start of work on a job. When the work is done, the caller answers and calls
// [Pod.Done].
type Start struct {
	Job  Job
	Slot Slot
	Work Work
}

// Pod models the slots, queue and memory of one pod. The caller provides the time, which must never
// decrease. Once slots and queue have grown to their maximum, a pod does not allocate. It is not
// safe for concurrent use.
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

// NewPod returns a pod that becomes ready at readyAt. Its weight is 100 until SetWeight changes it.
func NewPod(m *Model, readyAt time.Duration) *Pod {
	return &Pod{
		model: m, readyAt: readyAt, weight: 100, memory: m.behaviour.Memory.Base,
		queue: queue{limit: m.behaviour.Capacity.Queue},
	}
}

// SetWeight sets the share of the service's traffic that the pod's version gets, in percent.
func (p *Pod) SetWeight(percent float64) { p.weight = percent }

// SetDecider sets a function that replaces [Model.Begin], for requests whose real headers decide.
// It is called when work on a job starts.
func (p *Pod) SetDecider(decide func(Job, State) Work) { p.decide = decide }

// Offer offers a job to the pod. The Start is valid if the Admission is Started.
func (p *Pod) Offer(now time.Duration, j Job) (Start, Admission) {
	s := Start{Job: j}
	slot, admission := p.Take(now, &j, &s.Work)
	if admission != Started {
		return Start{}, admission
	}
	s.Slot = slot
	return s, Started
}

// Take is Offer without copies: it sets the work of a job that is started.
func (p *Pod) Take(now time.Duration, j *Job, w *Work) (Slot, Admission) {
	switch {
	case !p.Ready(now):
		return Slot{}, Refused
	case p.hasSlot():
		return p.start(now, j, w), Started
	case p.queue.push(j):
		p.peak = max(p.peak, p.InWork()+p.Waiting())
		return Slot{}, Queued
	default:
		return Slot{}, Rejected
	}
}

// Done ends the job in a slot like Finish, and then starts the first waiting one like Next.
func (p *Pod) Done(now time.Duration, s Slot) (next Start, ok bool) {
	if !p.Finish(s) {
		return Start{}, false
	}
	return p.Next(now)
}

// Finish ends the job in a slot, and leaks its memory. If the job's Work.Hold is not zero, the slot
// stays busy and the caller calls Release after that time. A stale slot has no effect: the result is
// false then. The caller checks Killed afterwards.
func (p *Pod) Finish(s Slot) bool {
	grow, ok := p.slots.finish(s)
	if !ok {
		return false
	}
	p.memory += grow
	if limit := p.model.behaviour.Memory.Limit; limit > 0 && p.memory > limit {
		p.killed = true
	}
	return true
}

// Release frees a slot that was held after the answer. If a job waits, it starts, and its Start is
// returned. A stale slot has no effect.
func (p *Pod) Release(now time.Duration, s Slot) (next Start, ok bool) {
	if !p.slots.release(s) {
		return Start{}, false
	}
	return p.Next(now)
}

// Next starts the first waiting job, if there is one and a free slot, and returns its start.
func (p *Pod) Next(now time.Duration) (Start, bool) {
	if p.killed || p.queue.len() == 0 || !p.hasSlot() {
		return Start{}, false
	}
	next := Start{Job: p.queue.pop()}
	next.Slot = p.start(now, &next.Job, &next.Work)
	return next, true
}

func (p *Pod) start(now time.Duration, j *Job, w *Work) Slot {
	slot, used := p.slots.acquire(j.Tag)
	p.peak = max(p.peak, p.InWork()+p.Waiting())
	p.work(j, State{Uptime: now - p.readyAt, InWork: p.slots.working, Weight: p.weight}, w)
	used.hold, used.grow = w.Hold > 0, w.Grow
	return slot
}

// work sets what the service does with a job.
func (p *Pod) work(j *Job, s State, w *Work) {
	switch {
	case p.decide != nil:
		*w = p.decide(*j, s)
	case j.Headers != nil:
		*w = p.model.BeginWithHeaders(j.Request, j.Headers, s)
	default:
		*w = Work{}
		p.model.begin(w, &j.Request, s, p.model.candidateFaults(&j.Request))
	}
}

func (p *Pod) hasSlot() bool {
	limit := p.model.behaviour.Capacity.Concurrency
	return limit == 0 || p.slots.working+p.slots.held < limit
}

// Valid reports whether the job in a slot is still in progress: not after Done, Abort or Restart.
// An event loop drops answers of slots that are not valid.
func (p *Pod) Valid(s Slot) bool { return p.slots.at(s, slotWorking) != nil }

// Killed reports whether the pod ran out of memory or was killed. The caller then calls Abort and
// Restart.
func (p *Pod) Killed() bool { return p.killed }

// Kill kills the pod: it refuses all jobs until Restart.
func (p *Pod) Kill() { p.killed = true }

// Abort ends all jobs without an answer. It calls each with the tags of those in progress, in the
// order of slots, and then of those that wait, in order. All slots become stale, including held ones.
func (p *Pod) Abort(each func(tag uint64)) {
	p.slots.clear(each)
	for p.queue.len() > 0 {
		each(p.queue.pop().Tag)
	}
}

// Restart restarts the pod, which becomes ready at readyAt with memory at its base. Jobs that were
// not aborted are dropped.
func (p *Pod) Restart(readyAt time.Duration) {
	p.Abort(func(uint64) {})
	p.readyAt, p.killed, p.memory = readyAt, false, p.model.behaviour.Memory.Base
	p.restarts++
}

// Ready reports whether the pod accepts jobs.
func (p *Pod) Ready(now time.Duration) bool { return !p.killed && now >= p.readyAt }

// InWork returns the number of jobs in progress: started and not done.
func (p *Pod) InWork() int { return p.slots.working }

// Held returns the number of slots that are kept busy after an answer.
func (p *Pod) Held() int { return p.slots.held }

// Waiting returns the number of jobs in the queue.
func (p *Pod) Waiting() int { return p.queue.len() }

// Peak returns the maximum number of jobs in progress and waiting at a time, over all restarts.
func (p *Pod) Peak() int { return p.peak }

// Memory returns the memory in use, in MiB.
func (p *Pod) Memory() float64 { return p.memory }

// Restarts returns the number of restarts.
func (p *Pod) Restarts() int { return p.restarts }
