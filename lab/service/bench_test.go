package service_test

import (
	"testing"
	"time"

	"coalmine/lab/service"
)

// busy is a behaviour with all features: a datastore, a call, warm-up and faults by route, cohort,
// cookie, user and load.
func busy() service.Behaviour {
	b := withFaults(
		service.Fault{Name: "route", Share: 0.01, When: service.When{Routes: []string{"pay"}},
			Effect: service.Effect{Status: 500}},
		service.Fault{Name: "cohort", Share: 0.5, When: service.When{Cohorts: []string{"beta"}},
			Effect: service.Effect{MultiplyLatency: 2}},
		service.Fault{Name: "cookie", When: service.When{Cookie: &service.NameMatch{Name: "plan", Value: "gold"}},
			Effect: service.Effect{WrongBody: true}},
		service.Fault{Name: "users", When: service.When{Users: 0.1}, Effect: service.Effect{GrowMemory: 0.1}},
		service.Fault{Name: "load", When: service.When{Load: 100},
			Effect: service.Effect{AddLatency: &service.Latency{P50: 1e6, P99: 1e7}}},
	)
	r := b.Routes[""]
	r.ErrorRate, r.Calls, r.Datastore = 0.001, "stock",
		service.Latency{P50: 2 * time.Millisecond, P99: 9 * time.Millisecond}
	b.Routes[""] = r
	b.Capacity = service.Capacity{Concurrency: 50, Queue: 100}
	return b
}

func request(i uint64) service.Request {
	return service.Request{Seq: i, User: uint32(i % 1000), Cohort: uint16(i % 3), Route: uint16(i % 2 * 2)}
}

func TestBeginDoesNotAllocate(t *testing.T) {
	m, i := compile(t, busy()), uint64(0)
	m.Begin(service.Request{}, service.State{}) // makes the first page of users
	if n := testing.AllocsPerRun(1000, func() { m.Begin(request(i), service.State{InWork: 5}); i++ }); n != 0 {
		t.Errorf("%g allocations per request", n)
	}
}

func TestPodDoesNotAllocate(t *testing.T) {
	b := busy()
	b.Capacity = service.Capacity{Concurrency: 4, Queue: 8}
	p, i := service.NewPod(compile(t, b), 0), uint64(0)
	var slots []service.Slot
	round := func() {
		slots = slots[:0]
		for range 12 {
			if s, admission := p.Offer(0, service.Job{Request: request(i)}); admission == service.Started {
				slots = append(slots, s.Slot)
			}
			i++
		}
		for len(slots) > 0 {
			s := slots[len(slots)-1]
			slots = slots[:len(slots)-1]
			if next, ok := p.Done(0, s); ok {
				slots = append(slots, next.Slot)
			}
		}
	}
	round()
	if n := testing.AllocsPerRun(1000, round); n != 0 {
		t.Errorf("%g allocations per round of 12 requests", n)
	}
}

func BenchmarkBegin(b *testing.B) {
	for name, behaviour := range map[string]service.Behaviour{"healthy": healthy(), "faulty": busy()} {
		b.Run(name, func(b *testing.B) {
			m := compile(b, behaviour)
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				m.Begin(request(i), service.State{InWork: 5})
			}
		})
	}
}

func BenchmarkPod(b *testing.B) {
	p := service.NewPod(compile(b, busy()), 0)
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		s, _ := p.Offer(0, service.Job{Request: request(i)})
		p.Done(0, s.Slot)
	}
}
