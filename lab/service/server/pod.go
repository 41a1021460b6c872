package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"coalmine/lab/service"
)

// pod drives a [service.Pod] in real time, for requests that may be cancelled at any time.
type pod struct {
	clock   Clock
	epoch   time.Time
	startUp time.Duration
	faults  []string // names, in the order of the behaviour, then those of calls
	gauges  podGauges
	// onKill is called with the pod locked when the service runs out of memory.
	onKill func()

	mu       sync.Mutex
	model    *service.Pod
	readyAt  time.Duration
	tag      uint64
	requests map[uint64]*activeRequest // in progress or queued, by tag
	// busy counts, by fault, the slots that are in use or held by requests that the fault hit.
	busy map[string]int
	// restarts counts kills. It identifies requests from before a restart.
	restarts int

	holding sync.WaitGroup
	ctx     context.Context // ends the waits for held slots
	close   context.CancelFunc
}

// errLost is the cause with which requests end when the service is killed.
var errLost = errors.New("the service was killed")

// newPod returns a pod that starts up now.
func newPod(m *service.Model, c Clock, weight float64) *pod {
	b := m.Behaviour()
	p := &pod{
		clock: c, epoch: c.Now(), startUp: b.StartUp, readyAt: b.StartUp, model: service.NewPod(m, b.StartUp),
		gauges: newPodGauges(), requests: map[uint64]*activeRequest{}, busy: map[string]int{},
	}
	for _, f := range b.Faults {
		p.faults = append(p.faults, f.Name)
	}
	p.faults = append(p.faults, faultCallTimeout, faultExtraCall)
	p.ctx, p.close = context.WithCancel(context.Background())
	p.model.SetWeight(weight)
	p.model.SetDecider(func(j service.Job, s service.State) service.Work { return p.requests[j.Tag].decide(s) })
	return p
}

func (p *pod) now() time.Duration { return p.clock.Now().Sub(p.epoch) }

// readyIn returns the time until readiness, 0 if the pod is ready.
func (p *pod) readyIn() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.readyAt-p.now(), 0)
}

func (p *pod) setWeight(percent float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.model.SetWeight(percent)
}

// restartCount returns the number of restarts.
func (p *pod) restartCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.restarts
}

// offer offers a request to the pod. If it is started, its work is set; if it is queued, its
// channel started is closed when its work is set.
func (p *pod) offer(ar *activeRequest) service.Admission {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tag++
	ar.tag, ar.podRestarts = p.tag, p.restarts
	p.requests[ar.tag] = ar
	start, admission := p.model.Offer(p.now(), service.Job{Request: ar.req, Tag: ar.tag})
	switch admission {
	case service.Started:
		p.start(ar, start)
	case service.Queued:
		ar.state, ar.started = stateQueued, make(chan struct{})
		ar.faults = p.busyFaults()
	case service.Rejected:
		ar.faults = p.busyFaults()
		delete(p.requests, ar.tag)
	default:
		delete(p.requests, ar.tag)
	}
	return admission
}

// busyFaults returns the faults whose requests keep slots busy. They also affect requests that have
// to wait.
func (p *pod) busyFaults() []string {
	var names []string
	for _, name := range p.faults {
		if p.busy[name] > 0 {
			names = append(names, name)
		}
	}
	return names
}

// start assigns a slot to a request.
func (p *pod) start(ar *activeRequest, s service.Start) {
	ar.slot, ar.work, ar.state, ar.since = s.Slot, s.Work, stateWorking, p.clock.Now()
	for _, name := range ar.ownFaults {
		p.busy[name]++
	}
}

// finish ends a request in any state; a second call has no effect. It reports whether the service
// ran out of memory.
func (p *pod) finish(ar *activeRequest) (killed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ar.state {
	case stateQueued:
		ar.state = stateAbandoned // startNext skips it
		return false
	case stateWorking:
	default:
		return false
	}
	ar.state = stateDone
	delete(p.requests, ar.tag)
	next, ok := p.model.Done(p.now(), ar.slot)
	if ar.work.Hold > 0 {
		p.hold(ar)
	} else {
		p.releaseFaults(ar)
	}
	p.startNext(next, ok)
	if !p.model.Killed() {
		return false
	}
	p.restart()
	return true
}

// releaseFaults undoes the counts of start.
func (p *pod) releaseFaults(ar *activeRequest) {
	for _, name := range ar.ownFaults {
		p.busy[name]--
	}
}

// startNext assigns a slot to the next queued request, skipping abandoned ones.
func (p *pod) startNext(next service.Start, ok bool) {
	for ok {
		ar := p.requests[next.Job.Tag]
		if ar.state != stateAbandoned {
			p.start(ar, next)
			close(ar.started)
			return
		}
		delete(p.requests, ar.tag)
		next, ok = p.model.Done(p.now(), next.Slot)
	}
}

// hold keeps the slot of a request busy after the response.
func (p *pod) hold(ar *activeRequest) {
	until := p.clock.Now().Add(ar.work.Hold)
	p.holding.Go(func() {
		if p.clock.SleepUntil(p.ctx, until) != nil {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if ar.podRestarts == p.restarts {
			next, ok := p.model.Release(p.now(), ar.slot)
			p.releaseFaults(ar)
			p.startNext(next, ok)
		}
	})
}

// restart aborts all requests and restarts the pod.
func (p *pod) restart() {
	p.restarts++
	clear(p.busy)
	p.model.Abort(func(tag uint64) {
		ar := p.requests[tag]
		delete(p.requests, tag)
		ar.state = stateDone
		ar.cancel(errLost)
	})
	p.readyAt = p.now() + p.startUp
	p.model.Restart(p.readyAt)
	p.onKill()
}

// stop cancels the waits for held slots.
func (p *pod) stop() {
	p.close()
	p.holding.Wait()
}
