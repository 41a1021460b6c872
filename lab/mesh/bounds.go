package mesh

// bounds are the upper bounds of histogram buckets.
type bounds struct {
	// latency is for response_latency_ms, in milliseconds (linkerd2-proxy,
	// linkerd/metrics/src/latency.rs).
	latency []float64
	// millisBucket maps a whole number of milliseconds to its bucket in latency. It covers nearly
	// all responses.
	millisBucket [1001]uint8
	// request is for outbound_http_route_request_duration_seconds, response for
	// outbound_http_route_backend_response_duration_seconds (linkerd2-proxy,
	// linkerd/app/outbound/src/http/logical/policy/route/metrics.rs).
	request, response []float64
	// app is the default of client_golang (prometheus/client_golang, prometheus/histogram.go,
	// DefBuckets).
	app []float64
}

func newBounds() bounds {
	b := bounds{
		latency: []float64{1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000, 5000,
			10000, 20000, 30000, 40000, 50000},
		request:  []float64{0.05, 0.5, 1, 10},
		response: []float64{0.025, 0.05, 0.1, 0.25, 0.5, 1, 10},
		app:      []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
	}
	bucket := 0
	for ms := range b.millisBucket {
		for float64(ms) > b.latency[bucket] {
			bucket++
		}
		b.millisBucket[ms] = uint8(bucket)
	}
	return b
}

// observeLatency counts whole milliseconds in a histogram with the bounds latency.
func (b *bounds) observeLatency(h Histogram, ms int64) {
	if ms >= 0 && ms < int64(len(b.millisBucket)) {
		h.observe(int(b.millisBucket[ms]), float64(ms))
		return
	}
	h.Observe(float64(ms))
}
