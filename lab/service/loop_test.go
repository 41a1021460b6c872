package service_test

import (
	"container/heap"
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen/rng"
)

// due is an answer, or the release of a held slot.
type due struct {
	at      time.Duration
	slot    service.Slot
	release bool
}

type dues []due

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].at < d[j].at }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)        { *d = append(*d, x.(due)) }
func (d *dues) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

// loop drives one pod with Poisson arrivals.
type loop struct {
	pod   *service.Pod
	dues  dues
	begun map[uint64]time.Duration // by tag, when offered
	// service replaces the model's time if it is set.
	service func(seq uint64) time.Duration

	offered, started, queued, rejected int
	waited                             time.Duration
}

// run offers n requests with the given mean time between them, and lets the pod finish.
func (l *loop) run(n int, gap time.Duration) {
	gaps, now := rng.New(9, "gaps"), time.Duration(0)
	l.begun = map[uint64]time.Duration{}
	for seq := range uint64(n) {
		now += time.Duration(rng.Exponential(gaps.Bits(seq)) * float64(gap))
		l.settle(now)
		l.offer(now, seq)
	}
	l.settle(1 << 62)
}

func (l *loop) offer(now time.Duration, seq uint64) {
	l.offered++
	l.begun[seq] = now
	start, admission := l.pod.Offer(now, service.Job{Request: service.Request{Seq: seq}, Tag: seq})
	switch admission {
	case service.Started:
		l.start(now, start)
	case service.Queued:
		l.queued++
	case service.Rejected, service.Refused:
		l.rejected++
	}
}

func (l *loop) start(now time.Duration, s service.Start) {
	l.started++
	l.waited += now - l.begun[s.Job.Tag]
	took := s.Work.Before + s.Work.After
	if l.service != nil {
		took = l.service(s.Job.Tag)
	}
	heap.Push(&l.dues, due{at: now + took, slot: s.Slot})
	if s.Work.Hold > 0 {
		heap.Push(&l.dues, due{at: now + took + s.Work.Hold, slot: s.Slot, release: true})
	}
}

func (l *loop) settle(now time.Duration) {
	for len(l.dues) > 0 && l.dues[0].at <= now {
		d := heap.Pop(&l.dues).(due)
		end := l.pod.Done
		if d.release {
			end = l.pod.Release
		}
		if next, ok := end(d.at, d.slot); ok {
			l.start(d.at, next)
		}
	}
}
