// Package promexport shows a load to Prometheus while it runs. It counts outcomes as they come and keeps nothing else; the exact
// accounts are those of package ledger.
//
// Metrics stand in a registry of their own. The number of series is bounded, whatever versions servers claim to have.
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
	// maxSeries bounds the combinations of cohort, route and version. What comes over it counts as [label.Other] in all three.
	maxSeries = 1000
	// maxScrapes is how many may be answered at once, scrapeTime how long one may take.
	maxScrapes = 4
	scrapeTime = 10 * time.Second
)

// classes of answers, by the first digit of the status; 0 is no answer.
const classes = 6

func className(class int) string {
	if class == 0 {
		return "none"
	}
	return strconv.Itoa(class) + "xx"
}

// Exporter counts outcomes. Add is for one goroutine; scrapes may come at any time.
type Exporter struct {
	registry           *prometheus.Registry
	requests, attempts *prometheus.CounterVec
	latency            *prometheus.HistogramVec
	late               prometheus.Histogram

	cohorts, routes []string
	versions        cardinality.Set
	// rows find series without a look at names: by cohort·routes + route, then by the index of the version.
	rows        []*[cardinality.IndexCount]*series
	seriesCount int
	other       *series
}

// series are those of one cohort, route and version. Counters are made when first needed.
type series struct {
	labels             [3]string
	requests, attempts [classes]prometheus.Counter
	latency            prometheus.Observer
}

// New returns an exposer for the load of a plan.
func New(plan *loadgen.Plan) *Exporter {
	e := &Exporter{registry: prometheus.NewRegistry(), rows: make([]*[cardinality.IndexCount]*series, len(plan.Cohorts())*len(plan.Routes()))}
	for _, c := range plan.Cohorts() {
		e.cohorts = append(e.cohorts, labelValue(c.Name))
	}
	for _, r := range plan.Routes() {
		e.routes = append(e.routes, labelValue(r.Name))
	}
	e.register(plan)
	return e
}

// labelValue makes a name fit for a label, which holds UTF-8 only.
func labelValue(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }

// Add counts what became of an attempt. It keeps nothing of the outcome.
func (e *Exporter) Add(o *loadgen.Outcome) {
	if o.Status == 0 && o.Failure == loadgen.FailureStopped {
		return // as in package ledger: nobody knows what would have become of it
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

// at finds the series of an outcome, or makes them.
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

func (e *Exporter) counter(at *prometheus.Counter, vec *prometheus.CounterVec, s *series, class int) prometheus.Counter {
	if *at == nil {
		*at = vec.WithLabelValues(s.labels[0], s.labels[1], s.labels[2], className(class))
	}
	return *at
}

// Handler answers scrapes, as text or in protocol buffers, which alone carry native histograms.
func (e *Exporter) Handler() http.Handler {
	return promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: scrapeTime})
}
