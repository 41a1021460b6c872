package mesh

import "time"

// bounds are the upper bounds of histogram buckets.
type bounds struct {
	// latency is for response_latency_ms, in milliseconds (linkerd2-proxy,
	// linkerd/metrics/src/latency.rs).
	latency []float64
	// request is for outbound_http_route_request_duration_seconds, response for
	// outbound_http_route_backend_response_duration_seconds (linkerd2-proxy,
	// linkerd/app/outbound/src/http/logical/policy/route/metrics.rs).
	request, response []float64
	// app is the default of client_golang (prometheus/client_golang, prometheus/histogram.go,
	// DefBuckets).
	app []float64

	// byMillis has the buckets of whole numbers of milliseconds. It covers nearly all responses.
	byMillis [1001]buckets
	// last is the time that was placed last: most are placed several times, one after the other.
	last placed
}

// Numbers of buckets.
const (
	numLatency  = 26
	numRequest  = 5
	numResponse = 8
	numApp      = 12
)

// buckets are the positions of a time in the histograms.
type buckets struct{ latency, request, response, app uint8 }

// placed is a time with its buckets. The bucket of latency is that of whole milliseconds, which the
// proxy records (linkerd2-proxy, linkerd/metrics/src/latency.rs).
type placed struct {
	buckets
	time   time.Duration
	millis int64
}

func newBounds() bounds {
	b := bounds{
		latency: []float64{1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000, 5000,
			10000, 20000, 30000, 40000, 50000},
		request:  []float64{0.05, 0.5, 1, 10},
		response: []float64{0.025, 0.05, 0.1, 0.25, 0.5, 1, 10},
		app:      []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
	}
	for ms := range b.byMillis {
		b.byMillis[ms] = b.search(time.Duration(ms) * time.Millisecond)
	}
	b.last = b.compute(0)
	return b
}

// place returns a time with its buckets. It is valid until the next call.
func (b *bounds) place(t time.Duration) *placed {
	if t != b.last.time {
		b.last = b.compute(t)
	}
	return &b.last
}

func (b *bounds) compute(t time.Duration) placed {
	down := t.Milliseconds()
	p := placed{time: t, millis: down}
	// All bounds are whole milliseconds: a time is within one if it is when rounded up.
	if up := (t + time.Millisecond - 1).Milliseconds(); t >= 0 && up < int64(len(b.byMillis)) {
		p.buckets = b.byMillis[up]
		p.latency = b.byMillis[down].latency
		return p
	}
	p.buckets = b.search(t)
	return p
}

func (b *bounds) search(t time.Duration) buckets {
	return buckets{bucketOf(b.latency, float64(t.Milliseconds())), bucketOf(b.request, t.Seconds()),
		bucketOf(b.response, t.Seconds()), bucketOf(b.app, t.Seconds())}
}

// bucketOf returns the number of the bucket of a value. Bounds are inclusive.
func bucketOf(bounds []float64, v float64) uint8 {
	i := 0
	for i < len(bounds) && v > bounds[i] {
		i++
	}
	return uint8(i)
}
