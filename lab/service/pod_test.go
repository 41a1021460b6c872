package service_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/lab/service"
)

func job(tag uint64) service.Job { return service.Job{Request: service.Request{Seq: tag}, Tag: tag} }

func TestQueueIsFirstInFirstOut(t *testing.T) {
	p := pod(t, healthy(), service.Capacity{Concurrency: 1, Queue: 3})
	first, _ := p.Offer(0, job(0))
	want := []service.Admission{service.Queued, service.Queued, service.Queued, service.Rejected}
	for i, admission := range want {
		if _, got := p.Offer(0, job(uint64(i+1))); got != admission {
			t.Errorf("job %d: admission %d, want %d", i+1, got, admission)
		}
	}
	slot := first.Slot
	for tag := uint64(1); tag <= 3; tag++ {
		next, ok := p.Done(time.Second, slot)
		if !ok || next.Job.Tag != tag {
			t.Fatalf("next is %+v, %t; want job %d", next.Job, ok, tag)
		}
		slot = next.Slot
	}
	if next, ok := p.Done(time.Second, slot); ok {
		t.Errorf("job %d comes out of an empty queue", next.Job.Tag)
	}
}

// Take sets all of the work, whatever an earlier job has left there.
func TestTakeIsOffer(t *testing.T) {
	b := withFaults(service.Fault{Name: "leak", Effect: service.Effect{Status: 501, Hold: time.Second, GrowMemory: 3}})
	faulty, same := service.NewPod(compile(t, b), 0), service.NewPod(compile(t, b), 0)
	var w service.Work
	for i := range uint64(3) {
		j := job(i)
		offered, _ := faulty.Offer(0, j)
		slot, admission := same.Take(0, &j, &w)
		if admission != service.Started || slot != offered.Slot || w != offered.Work || w.Status != 501 {
			t.Errorf("job %d: Take starts %+v in %v, Offer %+v in %v", i, w, slot, offered.Work, offered.Slot)
		}
	}
	sound, j := service.NewPod(compile(t, healthy()), 0), job(9)
	offered, _ := service.NewPod(compile(t, healthy()), 0).Offer(0, j)
	if sound.Take(0, &j, &w); w != offered.Work || w.Hold != 0 {
		t.Errorf("Take leaves %+v, want %+v", w, offered.Work)
	}
}

func TestPodState(t *testing.T) {
	b := withFaults(
		service.Fault{Name: "load", When: service.When{Load: 3}, Effect: service.Effect{Status: 501}},
		service.Fault{Name: "age", When: service.When{Uptime: time.Minute}, Effect: service.Effect{Status: 502}},
		service.Fault{Name: "weight", When: service.When{Weight: 50}, Effect: service.Effect{Status: 503}},
	)
	p := service.NewPod(compile(t, b), time.Second)
	if _, admission := p.Offer(0, job(0)); admission != service.Refused {
		t.Errorf("a pod that is not ready says %d", admission)
	}
	status := func(now time.Duration) int {
		s, _ := p.Offer(now, job(0))
		return s.Work.Status
	}
	if got := status(time.Second); got != 503 {
		t.Errorf("at all the traffic: %d", got)
	}
	p.SetWeight(49)
	got := []int{status(time.Second), status(time.Second), status(time.Minute), status(time.Minute + time.Second)}
	if want := []int{200, 501, 501, 502}; !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v", got, want)
	}
}

func TestMemoryKills(t *testing.T) {
	b := withFaults(service.Fault{Name: "leak", Effect: service.Effect{GrowMemory: 40}})
	b.Memory = service.Memory{Base: 100, Limit: 150}
	p := pod(t, b, service.Capacity{Concurrency: 3, Queue: 1})
	var slots []service.Slot
	for tag := range uint64(4) {
		s, _ := p.Offer(0, job(tag))
		slots = append(slots, s.Slot)
	}
	next, ok := p.Done(1, slots[0])
	if p.Killed() || !ok || next.Job.Tag != 3 || p.Memory() != 140 {
		t.Fatalf("after one answer: killed %t, next %+v, %g MiB", p.Killed(), next.Job, p.Memory())
	}
	p.Offer(1, job(4))
	if _, ok := p.Done(2, slots[1]); ok || !p.Killed() || p.Ready(2) {
		t.Fatalf("over the limit: started %t, killed %t, ready %t", ok, p.Killed(), p.Ready(2))
	}
	if _, admission := p.Offer(2, job(9)); admission != service.Refused {
		t.Errorf("a killed pod says %d", admission)
	}
	var lost []uint64
	p.Abort(func(tag uint64) { lost = append(lost, tag) })
	slices.Sort(lost)
	if want := []uint64{2, 3, 4}; !slices.Equal(lost, want) {
		t.Errorf("aborted %v, want %v", lost, want)
	}
	p.Restart(10)
	if p.Killed() || p.Ready(9) || !p.Ready(10) || p.Memory() != 100 || p.Restarts() != 1 {
		t.Errorf("after the restart: %+v", p)
	}
	s, _ := p.Offer(10, job(5))
	if p.Valid(slots[2]) || !p.Valid(s.Slot) {
		t.Error("a slot of the old life is valid, or one of the new is not")
	}
	if p.Done(11, slots[2]); p.InWork() != 1 {
		t.Error("an answer of the old life ends work of the new")
	}
}

func TestZeroSlotIsInvalid(t *testing.T) {
	p := pod(t, healthy(), service.Capacity{})
	p.Offer(0, job(0))
	p.Done(1, service.Slot{})
	p.Release(1, service.Slot{})
	if p.InWork() != 1 {
		t.Errorf("%d in work", p.InWork())
	}
}

// Any sequence of calls is compared with a simple model of a pod.
func TestPodAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := withFaults(
			service.Fault{Name: "hold", Share: 0.3, Effect: service.Effect{Hold: time.Second}},
			service.Fault{Name: "grow", Share: 0.3, Effect: service.Effect{GrowMemory: 10}},
		)
		b.Memory = service.Memory{Base: 1, Limit: 60}
		b.Capacity = service.Capacity{Concurrency: rapid.IntRange(1, 5).Draw(t, "slots"),
			Queue: rapid.IntRange(0, 20).Draw(t, "queue")}
		m, err := service.Compile(b, words(), rapid.Uint64().Draw(t, "seed"))
		if err != nil {
			t.Fatal(err)
		}
		k := &books{t: t, pod: service.NewPod(m, 0), capacity: b.Capacity}
		t.Repeat(map[string]func(*rapid.T){
			"offer": k.offer, "done": k.done, "release": k.release, "restart": k.restart, "": k.check,
		})
	})
}

// books is a simple model of a pod's jobs.
type books struct {
	t             *rapid.T
	pod           *service.Pod
	capacity      service.Capacity
	tag           uint64
	working, held []service.Start
	waiting       []uint64
	stale         []service.Slot
}

func (k *books) offer(t *rapid.T) {
	k.tag++
	start, admission := k.pod.Offer(0, job(k.tag))
	switch {
	case k.pod.Killed():
		k.want(t, "admission", admission == service.Refused)
	case len(k.working)+len(k.held) < k.capacity.Concurrency:
		k.want(t, "admission", admission == service.Started && start.Job.Tag == k.tag)
		k.working = append(k.working, start)
	case len(k.waiting) < k.capacity.Queue:
		k.want(t, "admission", admission == service.Queued)
		k.waiting = append(k.waiting, k.tag)
	default:
		k.want(t, "admission", admission == service.Rejected)
	}
}

func (k *books) done(t *rapid.T) {
	if len(k.working) == 0 || k.pod.Killed() {
		t.Skip("nothing to finish")
	}
	i := rapid.IntRange(0, len(k.working)-1).Draw(t, "which")
	s := k.working[i]
	k.working = slices.Delete(k.working, i, i+1)
	next, ok := k.pod.Done(0, s.Slot)
	if s.Work.Hold > 0 {
		k.held = append(k.held, s)
		k.want(t, "a held slot starts nothing", !ok)
		return
	}
	k.stale = append(k.stale, s.Slot)
	k.follow(t, next, ok)
}

func (k *books) release(t *rapid.T) {
	if len(k.held) == 0 || k.pod.Killed() {
		t.Skip("nothing to release")
	}
	s := k.held[0]
	k.held = k.held[1:]
	next, ok := k.pod.Release(0, s.Slot)
	k.stale = append(k.stale, s.Slot)
	k.follow(t, next, ok)
}

// follow expects the first waiting job to start, unless the pod was killed.
func (k *books) follow(t *rapid.T, next service.Start, ok bool) {
	if len(k.waiting) == 0 || k.pod.Killed() {
		k.want(t, "nothing starts", !ok)
		return
	}
	k.want(t, "the first of the queue starts", ok && next.Job.Tag == k.waiting[0])
	k.waiting = k.waiting[1:]
	k.working = append(k.working, next)
}

func (k *books) restart(t *rapid.T) {
	k.pod.Kill()
	aborted := map[uint64]bool{}
	k.pod.Abort(func(tag uint64) { aborted[tag] = true })
	k.want(t, "every open job is aborted once", len(aborted) == len(k.working)+len(k.waiting))
	for _, s := range append(k.working, k.held...) {
		k.stale = append(k.stale, s.Slot)
	}
	k.working, k.held, k.waiting = nil, nil, nil
	k.pod.Restart(0)
}

func (k *books) check(t *rapid.T) {
	k.want(t, "counts", k.pod.InWork() == len(k.working) && k.pod.Held() == len(k.held) &&
		k.pod.Waiting() == len(k.waiting))
	k.want(t, "peak", k.pod.Peak() >= len(k.working)+len(k.waiting) && k.pod.Peak() <= k.capacity.Concurrency+
		k.capacity.Queue)
	for _, s := range k.working {
		k.want(t, "slots in work are valid", k.pod.Valid(s.Slot))
	}
	for _, s := range k.stale {
		k.want(t, "stale slots are not valid", !k.pod.Valid(s))
		_, freed := k.pod.Release(0, s)
		_, ended := k.pod.Done(0, s)
		k.want(t, "stale slots start nothing", !freed && !ended)
	}
}

func (k *books) want(t *rapid.T, what string, holds bool) {
	if !holds {
		t.Fatalf("%s: in work %d (want %d), held %d (%d), waiting %d (%d)", what,
			k.pod.InWork(), len(k.working), k.pod.Held(), len(k.held), k.pod.Waiting(), len(k.waiting))
	}
}
