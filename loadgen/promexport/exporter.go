// Package promexport exports a running load test to Prometheus. It counts outcomes as they arrive;
// the exact results are those of package results.
//
// The metrics have their own registry. The number of series is bounded, whatever versions the
// responses name.
package promexport

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"coalmine/loadgen"
	"coalmine/loadgen/cardinality"
)

const (
	// maxSeries bounds the combinations of cohort, route and version. Further ones count as
	// [cardinality.Other] in all three labels.
	maxSeries = 1000
	// maxScrapes is the maximum number of concurrent scrapes, scrapeTime the time limit of one.
	maxScrapes = 4
	scrapeTime = 10 * time.Second
)

// classes are the response classes by first digit of the status; 0 is no response.
const classes = 6

func className(class int) string {
	if class == 0 {
		return "none"
	}
	return strconv.Itoa(class) + "xx"
}

// Exporter counts outcomes. Add must be called from one goroutine; scrapes may happen at any time.
type Exporter struct {
	registry           *prometheus.Registry
	requests, attempts *prometheus.CounterVec
	latency            *prometheus.HistogramVec
	late               prometheus.Histogram

	cohorts, routes []string
	versions        cardinality.Set
	// rows index series without comparing names: by cohort·routes + route, then by version index.
	rows        []*[cardinality.IndexCount]*series
	seriesCount int
	other       *series
}

// series are the metrics of one cohort, route and version. Counters are created on first use.
type series struct {
	labels             [3]string
	requests, attempts [classes]prometheus.Counter
	latency            prometheus.Observer
}

// New returns an exporter for the load test of a plan.
func New(plan *loadgen.Plan) *Exporter {
	e := &Exporter{registry: prometheus.NewRegistry(),
		rows: make([]*[cardinality.IndexCount]*series, len(plan.Cohorts())*len(plan.Routes()))}
	for _, c := range plan.Cohorts() {
		e.cohorts = append(e.cohorts, labelValue(c.Name))
	}
	for _, r := range plan.Routes() {
		e.routes = append(e.routes, labelValue(r.Name))
	}
	e.register(plan)
	return e
}

// labelValue makes a name valid as a label value, which must be UTF-8.
func labelValue(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }

// Add counts the outcome of an attempt. It does not retain o.
func (e *Exporter) Add(o *loadgen.Outcome) {
	if o.NotSent() || o.Status == 0 && o.Failure == loadgen.FailureStopped {
		return // as in package results: no server saw it, or its outcome is unknown
	}
	s := e.at(int(o.Arrival.Cohort), int(o.Arrival.Route), o.Version)
	class := min(int(o.Status)/100, classes-1)
	e.counter(&s.attempts[class], e.attempts, s, class).Inc()
	e.late.Observe((o.Sent - o.Intended).Seconds())
	if o.Final {
		e.counter(&s.requests[class], e.requests, s, class).Inc()
		s.latency.Observe(o.Latency.Seconds())
	}
}

// at returns the series of an outcome, creating it if needed.
func (e *Exporter) at(cohort, route int, version string) *series {
	place := cohort*len(e.routes) + route
	row := e.rows[place]
	if row == nil {
		row = new([cardinality.IndexCount]*series)
		e.rows[place] = row
	}
	i := e.versions.Index(version)
	if row[i] == nil {
		row[i] = e.series(e.cohorts[cohort], e.routes[route], e.versions.Name(i))
	}
	return row[i]
}

func (e *Exporter) series(labels ...string) *series {
	if e.seriesCount >= maxSeries {
		if e.other == nil {
			e.other = e.newSeries(cardinality.Other, cardinality.Other, cardinality.Other)
		}
		return e.other
	}
	e.seriesCount++
	return e.newSeries(labels...)
}

func (e *Exporter) newSeries(labels ...string) *series {
	return &series{labels: [3]string(labels), latency: e.latency.WithLabelValues(labels...)}
}

func (e *Exporter) counter(at *prometheus.Counter, vec *prometheus.CounterVec, s *series,
	class int) prometheus.Counter {
	if *at == nil {
		*at = vec.WithLabelValues(s.labels[0], s.labels[1], s.labels[2], className(class))
	}
	return *at
}

// Handler serves scrapes as text or protocol buffers; only the latter carry native histograms.
func (e *Exporter) Handler() http.Handler {
	return promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: scrapeTime})
}
