package service_test

import (
	"math"
	"testing"
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen/rng"
)

// erlangB returns the share of customers lost in M/G/c/c with an offered load in erlangs (Erlang
// 1917), by the usual recursion.
func erlangB(servers int, load float64) float64 {
	b := 1.0
	for c := 1; c <= servers; c++ {
		b = load * b / (float64(c) + load*b)
	}
	return b
}

// erlangC returns the share of customers that wait in M/M/c.
func erlangC(servers int, load float64) float64 {
	b := erlangB(servers, load)
	return b / (1 - load/float64(servers)*(1-b))
}

// near fails unless got is within a share of want.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got/want-1) > tolerance {
		t.Errorf("%s: %.5g, want %.5g ± %.0f %%", what, got, want, tolerance*100)
	}
}

func pod(t testing.TB, b service.Behaviour, c service.Capacity) *service.Pod {
	t.Helper()
	b.Capacity = c
	return service.NewPod(compile(t, b), 0)
}

// Exponential service times: M/M/4 at 70 % load. Waits are correlated over about 50 arrivals, so
// the standard error of their mean is 2 %.
func TestWaitingAgreesWithErlangC(t *testing.T) {
	const servers, n = 4, 400_000
	load, svc := 2.8, 10*time.Millisecond
	times := rng.New(5, "service")
	l := loop{pod: pod(t, healthy(), service.Capacity{Concurrency: servers, Queue: 1 << 20}),
		service: func(seq uint64) time.Duration {
			return time.Duration(rng.Exponential(times.Bits(seq)) * float64(svc))
		}}
	l.run(n, time.Duration(float64(svc)/load))
	wait := erlangC(servers, load)
	near(t, "share that waits", float64(l.queued)/n, wait, 0.03)
	near(t, "mean wait", l.waited.Seconds()/n, wait*svc.Seconds()/(servers-load), 0.07)
	if l.started != n || l.pod.InWork() != 0 || l.pod.Waiting() != 0 {
		t.Errorf("%d of %d started, %d in work, %d waiting at the end", l.started, n, l.pod.InWork(), l.pod.Waiting())
	}
}

// A queue that overflows: M/M/c/K with c = 4 servers, room for K in all, below and above saturation.
func TestOverflowAgreesWithMMcK(t *testing.T) {
	const servers, n = 4, 300_000
	svc := 10 * time.Millisecond
	times := rng.New(5, "service")
	for _, x := range []struct {
		load float64
		room int
	}{{3.2, 8}, {4, 12}, {6, 24}} {
		l := loop{pod: pod(t, healthy(), service.Capacity{Concurrency: servers, Queue: x.room - servers}),
			service: func(seq uint64) time.Duration {
				return time.Duration(rng.Exponential(times.Bits(seq)) * float64(svc))
			}}
		l.run(n, time.Duration(float64(svc)/x.load))
		lost, waiting := mmck(servers, x.room, x.load)
		near(t, "share rejected", float64(l.rejected)/n, lost, 0.05)
		// Little's law: those who wait are the arrivals that are admitted, times how long they do.
		near(t, "mean wait", l.waited.Seconds()/float64(l.started), waiting*svc.Seconds()/(x.load*(1-lost)), 0.05)
		if l.pod.Peak() != x.room {
			t.Errorf("peak %d, want %d", l.pod.Peak(), x.room)
		}
	}
}

// mmck returns the share of customers that M/M/c/K turns away, and the mean length of its queue, from
// the probabilities of its states: p(n) is proportional to load^n/n! up to c, and falls or grows by
// load/c after it.
func mmck(servers, room int, load float64) (lost, waiting float64) {
	p, sum, last := 1.0, 1.0, 0.0
	for n := 1; n <= room; n++ {
		p *= load / float64(min(n, servers))
		sum += p
		waiting += p * float64(max(0, n-servers))
		last = p
	}
	return last / sum, waiting / sum
}

// The model's lognormal service times: the loss does not depend on the distribution.
func TestRejectionAgreesWithErlangB(t *testing.T) {
	const servers, n = 10, 200_000
	mean := lognormalMean(20*time.Millisecond, 200*time.Millisecond)
	for _, load := range []float64{6, 10, 14} {
		l := loop{pod: pod(t, healthy(), service.Capacity{Concurrency: servers})}
		l.run(n, time.Duration(mean*1e9/load))
		near(t, "share rejected", float64(l.rejected)/n, erlangB(servers, load), 0.05)
		if l.pod.Peak() != servers {
			t.Errorf("peak %d, want %d", l.pod.Peak(), servers)
		}
	}
}

// The model's lognormal service times in one slot: M/G/1 at 60 % load.
func TestQueueAgreesWithPollaczekKhinchine(t *testing.T) {
	const load, n = 0.6, 400_000
	p50, p99 := 20*time.Millisecond, 60*time.Millisecond
	b := healthy()
	b.Routes[""] = service.RouteBehaviour{Latency: service.Latency{P50: p50, P99: p99}}
	l := loop{pod: pod(t, b, service.Capacity{Concurrency: 1, Queue: 1 << 20})}
	mean, sigma := lognormalMean(p50, p99), math.Log(3)/rng.Z99
	l.run(n, time.Duration(mean*1e9/load))
	square := mean * mean * math.Exp(sigma*sigma)
	near(t, "mean wait", l.waited.Seconds()/n, load/mean*square/(2*(1-load)), 0.05)
}

// lognormalMean returns exp(μ + σ²/2), in seconds.
func lognormalMean(p50, p99 time.Duration) float64 {
	sigma := math.Log(float64(p99)/float64(p50)) / rng.Z99
	return p50.Seconds() * math.Exp(sigma*sigma/2)
}

// Work of 10 ms holds its slot for another 90 ms, so the loss is that of ten times the load.
func TestHeldSlotsReduceCapacity(t *testing.T) {
	const servers, n = 10, 100_000
	b := withFaults(service.Fault{Name: "leak", Effect: service.Effect{Hold: 90 * time.Millisecond}})
	b.Routes[""] = service.RouteBehaviour{Latency: service.Latency{P50: 10 * time.Millisecond,
		P99: 10 * time.Millisecond}}
	l := loop{pod: pod(t, b, service.Capacity{Concurrency: servers})}
	l.run(n, 10*time.Millisecond)
	near(t, "share rejected", float64(l.rejected)/n, erlangB(servers, 10), 0.05)
	if l.pod.Held() != 0 {
		t.Errorf("%d slots held at the end", l.pod.Held())
	}
}
