package mesh

import (
	"time"

	"coalmine/loadgen/rng"
)

// Load estimation of a default installation (linkerd2, policy-controller/grpc/src/outbound.rs,
// default_balancer_config).
const (
	DefaultRTT = 30 * time.Millisecond
	LoadDecay  = 10 * time.Second
)

// FailfastAfter is how long requests wait for an endpoint before the proxy answers 504; see [Pool]
// (linkerd2, policy-controller/grpc/src/outbound.rs, default_queue_config).
const FailfastAfter = 3 * time.Second

// Endpoint is a pod as seen by the balancer of one client proxy. Its load is the peak-sensitive
// moving average of round-trip times multiplied by the requests in flight (tower,
// tower/src/load/peak_ewma.rs).
type Endpoint struct {
	// Key is the caller's identifier of the pod.
	Key int

	rtt     float64 // ns
	updated time.Duration
	pending int
	breaker breaker
}

// Begin counts a request sent to the endpoint.
func (e *Endpoint) Begin() { e.pending++ }

// End counts a response after a round-trip time of rtt.
func (e *Endpoint) End(now, rtt time.Duration) {
	e.pending--
	e.update(now, float64(rtt))
}

// Cost estimates the work pending at the endpoint, in nanoseconds. As in tower, calling it lets the
// estimate decay towards 0.
func (e *Endpoint) Cost(now time.Duration) float64 {
	e.update(now, 0)
	return e.rtt * float64(e.pending+1)
}

func (e *Endpoint) update(now time.Duration, rtt float64) {
	if e.rtt < rtt {
		e.rtt = rtt
	} else if now > e.updated {
		keep := decay(now - e.updated)
		e.rtt = float64(e.rtt*keep) + float64(rtt*(1-keep))
	}
	e.updated = now
}

// decay returns e^(-elapsed/LoadDecay). For short times, the common case, it sums the first terms
// of the series; the error is below 10⁻¹². The conversions prevent fused operations, whose results
// differ between architectures.
func decay(elapsed time.Duration) float64 {
	const perDecay, third = 1 / float64(LoadDecay), 1.0 / 3
	x := float64(elapsed) * perDecay
	if x > 1.0/128 {
		return rng.Exp(-x)
	}
	return 1 - float64(x*(1-float64(float64(x*0.5)*(1-float64(float64(x*third)*(1-float64(x*0.25)))))))
}

// Balancer spreads the requests of one client proxy over the ready endpoints of one Service by the
// power of two choices (linkerd2-proxy, linkerd/pool/p2c/src/lib.rs).
type Balancer struct {
	endpoints []*Endpoint
	// tripped counts endpoints whose circuit breaker lets nothing pass.
	tripped int
}

// Set replaces the endpoints. Endpoints that the balancer had before keep their load.
func (b *Balancer) Set(now time.Duration, keys []int) {
	next := make([]*Endpoint, 0, len(keys))
	b.tripped = 0
	for _, k := range keys {
		e := b.find(k)
		if e == nil {
			e = &Endpoint{Key: k, rtt: float64(DefaultRTT), updated: now}
		}
		if !e.breaker.available() {
			b.tripped++
		}
		next = append(next, e)
	}
	b.endpoints = next
}

func (b *Balancer) find(key int) *Endpoint {
	for _, e := range b.endpoints {
		if e.Key == key {
			return e
		}
	}
	return nil
}

// Len returns the number of endpoints.
func (b *Balancer) Len() int { return len(b.endpoints) }

// Available reports whether a request can be sent now.
func (b *Balancer) Available() bool { return len(b.endpoints) > b.tripped }

// Pick returns the cheaper of two available endpoints chosen by random bits, or nil if none is
// available.
func (b *Balancer) Pick(now time.Duration, random uint64) *Endpoint {
	if b.tripped > 0 {
		return b.pickAvailable(now, random)
	}
	return cheaper(b.endpoints, now, random)
}

// pickAvailable picks among the endpoints whose breaker lets requests pass.
func (b *Balancer) pickAvailable(now time.Duration, random uint64) *Endpoint {
	var list []*Endpoint
	for _, e := range b.endpoints {
		if e.breaker.available() {
			list = append(list, e)
		}
	}
	return cheaper(list, now, random)
}

func cheaper(list []*Endpoint, now time.Duration, random uint64) *Endpoint {
	switch n := len(list); n {
	case 0:
		return nil
	case 1:
		return list[0]
	default:
		i := below(random<<32, n)
		j := below(random, n-1)
		if j >= i {
			j++
		}
		first, second := list[i], list[j]
		if first.Cost(now) <= second.Cost(now) {
			return first
		}
		return second
	}
}

// below maps random bits to [0, n), using the high bits.
func below(random uint64, n int) int { return int(rng.Below(random, uint64(n))) }
