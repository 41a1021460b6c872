package serve

import (
	"context"
	"errors"
	"sync"
	"time"

	"coalmine/lab/app"
)

// pod keeps the books of an [app.Pod] in real time, for requests that come and go as they like.
type pod struct {
	clock   Clock
	epoch   time.Time
	startUp time.Duration
	faults  []string // names, in the behaviour's order
	gauges  podGauges
	// died is called when the service has run out of memory, with the pod locked.
	died func()

	mu      sync.Mutex
	app     *app.Pod
	readyAt time.Duration
	tag     uint64
	visits  map[uint64]*visit // working or waiting, by tag
	// busy counts, by fault, the slots that a request which it touched is or was on.
	busy map[string]int
	// life counts deaths, so that what began in an earlier life is told apart.
	life int

	holding sync.WaitGroup
	ctx     context.Context // of the waits of slots that are held
	close   context.CancelFunc
}

// errLost ends the requests of a service that was killed.
var errLost = errors.New("the service was killed")

// newPod is a pod that begins to start up now.
func newPod(m *app.Model, c Clock, weight float64) *pod {
	b := m.Behaviour()
	p := &pod{
		clock: c, epoch: c.Now(), startUp: b.StartUp, readyAt: b.StartUp, app: app.NewPod(m, b.StartUp),
		gauges: newPodGauges(), visits: map[uint64]*visit{}, busy: map[string]int{},
	}
	for _, f := range b.Faults {
		p.faults = append(p.faults, f.Name)
	}
	p.ctx, p.close = context.WithCancel(context.Background())
	p.app.SetWeight(weight)
	p.app.DecideBy(func(j app.Job, s app.State) app.Work { return p.visits[j.Tag].decide(s) })
	return p
}

func (p *pod) now() time.Duration { return p.clock.Now().Sub(p.epoch) }

// startsIn is the time to readiness, 0 for a pod that is ready.
func (p *pod) startsIn() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.readyAt-p.now(), 0)
}

func (p *pod) setWeight(percent float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.app.SetWeight(percent)
}

// lives counts the lives before this one.
func (p *pod) lives() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

// enter brings a visit. One that is started has its work; one that is queued is told by its turn when it has.
func (p *pod) enter(v *visit) app.Admission {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tag++
	v.tag, v.life = p.tag, p.life
	p.visits[v.tag] = v
	start, admission := p.app.Offer(p.now(), app.Job{Request: v.job, Tag: v.tag})
	switch admission {
	case app.Started:
		p.start(v, start)
	case app.Queued:
		v.stage, v.turn = waiting, make(chan struct{})
		v.faults = p.crowding()
	case app.Rejected:
		v.faults = p.crowding()
		delete(p.visits, v.tag)
	default:
		delete(p.visits, v.tag)
	}
	return admission
}

// crowding names the faults whose requests keep slots busy: whoever has to wait then was touched by them.
func (p *pod) crowding() []string {
	var names []string
	for _, name := range p.faults {
		if p.busy[name] > 0 {
			names = append(names, name)
		}
	}
	return names
}

// start is when a slot is the visit's.
func (p *pod) start(v *visit, s app.Start) {
	v.slot, v.work, v.stage, v.since = s.Slot, s.Work, working, p.clock.Now()
	for _, name := range v.touched {
		p.busy[name]++
	}
}

// leave ends a visit, wherever it is; a second time does nothing. It tells whether the service ran out of memory by it.
func (p *pod) leave(v *visit) (killed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch v.stage {
	case waiting:
		v.stage = gone // its place in the queue comes up all the same
		return false
	case working:
	default:
		return false
	}
	v.stage = outside
	delete(p.visits, v.tag)
	next, ok := p.app.Done(p.now(), v.slot)
	if v.work.Hold > 0 {
		p.hold(v)
	} else {
		p.free(v)
	}
	p.startNext(next, ok)
	if !p.app.Killed() {
		return false
	}
	p.die()
	return true
}

// free ends what a visit's faults keep busy.
func (p *pod) free(v *visit) {
	for _, name := range v.touched {
		p.busy[name]--
	}
}

// startNext gives a slot to who waited for it. Who has left meanwhile gives it on.
func (p *pod) startNext(next app.Start, ok bool) {
	for ok {
		v := p.visits[next.Job.Tag]
		if v.stage != gone {
			p.start(v, next)
			close(v.turn)
			return
		}
		delete(p.visits, v.tag)
		next, ok = p.app.Done(p.now(), next.Slot)
	}
}

// hold keeps the slot of a visit busy after its answer.
func (p *pod) hold(v *visit) {
	until := p.clock.Now().Add(v.work.Hold)
	p.holding.Go(func() {
		if p.clock.SleepUntil(p.ctx, until) != nil {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if v.life == p.life {
			next, ok := p.app.Release(p.now(), v.slot)
			p.free(v)
			p.startNext(next, ok)
		}
	})
}

// die ends everything that is in the pod, and begins a new life.
func (p *pod) die() {
	p.life++
	clear(p.busy)
	p.app.Abort(func(j app.Job) {
		v := p.visits[j.Tag]
		delete(p.visits, j.Tag)
		v.stage = outside
		v.cancel(errLost)
	})
	p.readyAt = p.now() + p.startUp
	p.app.Restart(p.readyAt)
	p.died()
}

// end waits for those who hold slots to give up.
func (p *pod) end() {
	p.close()
	p.holding.Wait()
}
