package promexport

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"coalmine/loadgen"
)

// Native histograms have bounds that grow by at most nativeGrowth, and enough buckets for latencies
// over three decades; beyond that, buckets are merged. They are never reset, because a load test is
// short and its counts must be kept.
const (
	nativeGrowth  = 1.1
	nativeBuckets = 160
)

// latencyBounds and lateBounds are in seconds, for scrapers that request the text format.
func latencyBounds() []float64 {
	return []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
}

func lateBounds() []float64 {
	return []float64{10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 5e-3, 25e-3, 100e-3, 1}
}

func (e *Exporter) register(plan *loadgen.Plan) {
	names := []string{"cohort", "route", "version"}
	e.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "coalmine_load_requests_total",
		Help: "Requests that ended, by class of the last response (none for no response)."}, append(names, "code"))
	e.attempts = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "coalmine_load_attempts_total",
		Help: "Attempts at requests that ended, by class of the response (none for no response)."},
		append(names, "code"))
	e.latency = prometheus.NewHistogramVec(histogram("coalmine_load_latency_seconds",
		"Time from the intended start of a request to the end of its last response.", latencyBounds()), names)
	e.late = prometheus.NewHistogram(histogram("coalmine_load_schedule_error_seconds",
		"Delay of attempts after their intended time.", lateBounds()))
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "coalmine_load_info", Help: "Seed and duration of the plan.",
		ConstLabels: prometheus.Labels{"seed": strconv.FormatUint(plan.Seed(), 10),
			"duration": plan.Duration().String()}})
	info.Set(1)
	e.registry.MustRegister(e.requests, e.attempts, e.latency, e.late, info)
}

func histogram(name, help string, bounds []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds,
		NativeHistogramBucketFactor: nativeGrowth, NativeHistogramMaxBucketNumber: nativeBuckets}
}
