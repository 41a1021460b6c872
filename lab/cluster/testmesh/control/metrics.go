package control

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the control plane's own.
type metrics struct {
	issued     prometheus.Counter
	refused    *prometheus.CounterVec // by reason
	admitted   *prometheus.CounterVec // by result
	generation prometheus.Gauge
	waiting    prometheus.Gauge
	ignored    prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		issued: f.NewCounter(prometheus.CounterOpts{
			Name: "testmesh_certificates_issued_total", Help: "Workload certificates signed.",
		}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "testmesh_certificates_refused_total",
			Help: "Requests for a certificate that were refused, by reason.",
		}, []string{"reason"}),
		admitted: f.NewCounterVec(prometheus.CounterOpts{
			Name: "testmesh_admissions_total", Help: "Pods reviewed for injection, by result.",
		}, []string{"result"}),
		generation: f.NewGauge(prometheus.GaugeOpts{
			Name: "testmesh_snapshot_generation", Help: "Generation of the newest snapshot.",
		}),
		waiting: f.NewGauge(prometheus.GaugeOpts{
			Name: "testmesh_snapshot_waiting", Help: "Proxies waiting for the next snapshot.",
		}),
		ignored: f.NewGauge(prometheus.GaugeOpts{
			Name: "testmesh_objects_ignored", Help: "Routes and policies that could not be read.",
		}),
	}
}
