package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"coalmine/lab/service"
)

// pod keeps the books of an [app.Pod] in real time, for requests that come and go as they like.
type pod struct {
	clock   Clock
	epoch   time.Time
	startUp time.Duration
	faults  []string // names, in the behaviour's order
	gauges  podGauges
	// onKill is called when the service has run out of memory, with the pod locked.
	onKill func()

	mu       sync.Mutex
	app      *service.Pod
	readyAt  time.Duration
	tag      uint64
	requests map[uint64]*activeRequest // working or waiting, by tag
	// busy counts, by fault, the slots that a request which it touched is or was on.
	busy map[string]int
	// restarts counts deaths, so that what began in an earlier life is told apart.
	restarts int

	holding sync.WaitGroup
	ctx     context.Context // of the waits of slots that are held
	close   context.CancelFunc
}

// errLost ends the requests of a service that was killed.
var errLost = errors.New("the service was killed")

// newPod is a pod that begins to start up now.
func newPod(m *service.Model, c Clock, weight float64) *pod {
	b := m.Behaviour()
	p := &pod{
		clock: c, epoch: c.Now(), startUp: b.StartUp, readyAt: b.StartUp, app: service.NewPod(m, b.StartUp),
		gauges: newPodGauges(), requests: map[uint64]*activeRequest{}, busy: map[string]int{},
	}
	for _, f := range b.Faults {
		p.faults = append(p.faults, f.Name)
	}
	p.ctx, p.close = context.WithCancel(context.Background())
	p.app.SetWeight(weight)
	p.app.SetDecider(func(j service.Job, s service.State) service.Work { return p.requests[j.Tag].decide(s) })
	return p
}

func (p *pod) now() time.Duration { return p.clock.Now().Sub(p.epoch) }

// readyIn is the time to readiness, 0 for a pod that is ready.
func (p *pod) readyIn() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.readyAt-p.now(), 0)
}

func (p *pod) setWeight(percent float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.app.SetWeight(percent)
}

// restartCount counts the lives before this one.
func (p *pod) restartCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.restarts
}

// offer brings a visit. One that is started has its work; one that is queued is told by its turn when it has.
func (p *pod) offer(v *activeRequest) service.Admission {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tag++
	v.tag, v.podRestarts = p.tag, p.restarts
	p.requests[v.tag] = v
	start, admission := p.app.Offer(p.now(), service.Job{Request: v.req, Tag: v.tag})
	switch admission {
	case service.Started:
		p.start(v, start)
	case service.Queued:
		v.state, v.started = stateQueued, make(chan struct{})
		v.faults = p.busyFaults()
	case service.Rejected:
		v.faults = p.busyFaults()
		delete(p.requests, v.tag)
	default:
		delete(p.requests, v.tag)
	}
	return admission
}

// busyFaults names the faults whose requests keep slots busy: whoever has to wait then was touched by them.
func (p *pod) busyFaults() []string {
	var names []string
	for _, name := range p.faults {
		if p.busy[name] > 0 {
			names = append(names, name)
		}
	}
	return names
}

// start is when a slot is the visit's.
func (p *pod) start(v *activeRequest, s service.Start) {
	v.slot, v.work, v.state, v.since = s.Slot, s.Work, stateWorking, p.clock.Now()
	for _, name := range v.ownFaults {
		p.busy[name]++
	}
}

// finish ends a visit, wherever it is; a second time does nothing. It tells whether the service ran out of memory by it.
func (p *pod) finish(v *activeRequest) (killed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch v.state {
	case stateQueued:
		v.state = stateAbandoned // its place in the queue comes up all the same
		return false
	case stateWorking:
	default:
		return false
	}
	v.state = stateDone
	delete(p.requests, v.tag)
	next, ok := p.app.Done(p.now(), v.slot)
	if v.work.Hold > 0 {
		p.hold(v)
	} else {
		p.releaseFaults(v)
	}
	p.startNext(next, ok)
	if !p.app.Killed() {
		return false
	}
	p.restart()
	return true
}

// releaseFaults ends what a visit's faults keep busy.
func (p *pod) releaseFaults(v *activeRequest) {
	for _, name := range v.ownFaults {
		p.busy[name]--
	}
}

// startNext gives a slot to who waited for it. Who has left meanwhile gives it on.
func (p *pod) startNext(next service.Start, ok bool) {
	for ok {
		v := p.requests[next.Job.Tag]
		if v.state != stateAbandoned {
			p.start(v, next)
			close(v.started)
			return
		}
		delete(p.requests, v.tag)
		next, ok = p.app.Done(p.now(), next.Slot)
	}
}

// hold keeps the slot of a visit busy after its answer.
func (p *pod) hold(v *activeRequest) {
	until := p.clock.Now().Add(v.work.Hold)
	p.holding.Go(func() {
		if p.clock.SleepUntil(p.ctx, until) != nil {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if v.podRestarts == p.restarts {
			next, ok := p.app.Release(p.now(), v.slot)
			p.releaseFaults(v)
			p.startNext(next, ok)
		}
	})
}

// restart ends everything that is in the pod, and begins a new life.
func (p *pod) restart() {
	p.restarts++
	clear(p.busy)
	p.app.Abort(func(j service.Job) {
		v := p.requests[j.Tag]
		delete(p.requests, j.Tag)
		v.state = stateDone
		v.cancel(errLost)
	})
	p.readyAt = p.now() + p.startUp
	p.app.Restart(p.readyAt)
	p.onKill()
}

// stop waits for those who hold slots to give up.
func (p *pod) stop() {
	p.close()
	p.holding.Wait()
}
