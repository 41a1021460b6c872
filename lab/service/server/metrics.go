package server

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the metrics of the service, with the same names, labels and buckets as in the sim
// ([mesh.AppStats]), and those of the process.
type metrics struct {
	version  string
	pod      *pod
	registry atomic.Pointer[registryMetrics]
}

// registryMetrics are the metrics since the last restart, which resets counters.
type registryMetrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	handler  http.Handler
}

func newMetrics(version string, p *pod) *metrics {
	m := &metrics{version: version, pod: p}
	m.reset()
	return m
}

// reset resets the metrics after a restart. It may be called with the pod locked.
func (m *metrics) reset() {
	reg := prometheus.NewRegistry()
	l := &registryMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "app_http_requests_total", Help: "Responses of the service.",
		}, []string{"route", "cohort", "version", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "app_http_request_duration_seconds", Help: "Response time, including time in the queue.",
			Buckets: prometheus.DefBuckets,
		}, []string{"route", "cohort", "version"}),
		handler: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}),
	}
	reg.MustRegister(l.requests, l.duration, m.pod, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.Store(l)
}

// observe counts a response.
func (m *metrics) observe(route, cohort string, status int, took time.Duration) {
	l := m.registry.Load()
	l.requests.WithLabelValues(route, cohort, m.version, strconv.Itoa(status)).Inc()
	l.duration.WithLabelValues(route, cohort, m.version).Observe(took.Seconds())
}

// ServeHTTP serves the metrics.
func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.registry.Load().handler.ServeHTTP(w, r)
}

// podGauges describe the metrics of the pod, which the sim does not have.
type podGauges struct{ restarts, memory, inWork, waiting, held *prometheus.Desc }

func newPodGauges() podGauges {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("coalmine_app_"+name, help, nil, nil)
	}
	return podGauges{
		restarts: desc("restarts_total", "Restarts of the service because its modelled memory ran out."),
		memory:   desc("memory_bytes", "Modelled memory in use."),
		inWork:   desc("in_work", "Requests in progress."),
		waiting:  desc("waiting", "Requests in the queue."),
		held:     desc("held", "Slots that are kept busy after a response."),
	}
}

// Describe implements [prometheus.Collector].
func (p *pod) Describe(to chan<- *prometheus.Desc) {
	g := p.gauges
	for _, d := range []*prometheus.Desc{g.restarts, g.memory, g.inWork, g.waiting, g.held} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (p *pod) Collect(to chan<- prometheus.Metric) {
	p.mu.Lock()
	restarts, memory, inWork := p.restarts, p.model.Memory(), p.model.InWork()
	waiting, held := p.model.Waiting(), p.model.Held()
	p.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	to <- prometheus.MustNewConstMetric(p.gauges.restarts, prometheus.CounterValue, float64(restarts))
	gauge(p.gauges.memory, memory*(1<<20))
	gauge(p.gauges.inWork, float64(inWork))
	gauge(p.gauges.waiting, float64(waiting))
	gauge(p.gauges.held, float64(held))
}
