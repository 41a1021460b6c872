// Package prom is an in-memory Prometheus: the head block of the real time series database and the
// real PromQL engine, without a server, network scraping or a write-ahead log. The caller supplies
// the time.
package prom

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// ScrapeInterval is that of Linkerd's viz extension (linkerd2,
// viz/charts/linkerd-viz/templates/prometheus.yaml).
const ScrapeInterval = 10 * time.Second

const (
	// maxSamples limits the samples that one query may hold in memory. Prometheus' default is 50
	// million; a run has a few thousand series, so a sane query stays far below.
	maxSamples = 5_000_000
	// QueryBudget limits the samples that all queries of a run may read. Five checks of one service
	// read some hundred thousand in a run; 30 checks of a whole histogram every ten seconds read
	// ten million, in five seconds of CPU time. Reading is most expensive with one sample per
	// series, about 2.4 µs each; even then the limit is reached within a minute.
	QueryBudget = 20_000_000
	// lookback is Prometheus' default: how long the last sample of a series that is not marked
	// stale counts as current.
	lookback = 5 * time.Minute
)

// DB is a Prometheus. Its methods are safe for concurrent use.
type DB struct {
	engine      *promql.Engine
	samplesRead atomic.Int64 // by all queries

	mu             sync.Mutex
	samples        samples
	head           head
	groups         []*group          // indexed by the caller's number
	registrySeries map[string]*group // series of registries, by name and labels
}

// Label is a name and a value.
type Label struct{ Name, Value string }

// Series describes a series.
type Series interface {
	// Label returns the value of a label, or "" if there is none. That of __name__ is the metric.
	Label(name string) string
	// Labels returns all labels, in any order. No other series has the same.
	Labels() []Label
}

// Source adds its current samples to a scrape.
type Source func(*Scrape)

// Open returns an empty database.
func Open() *DB {
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: maxSamples,
		// In virtual time an engine never times out. What limits it are maxSamples and the
		// validation of guardrails.
		Timeout:              time.Minute,
		LookbackDelta:        lookback,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		Parser:               parser.NewParser(parser.Options{}),
		// A subquery without a step has that of Prometheus' evaluation_interval, 10s in Linkerd's
		// viz extension (prometheus.yaml). The engine panics without this function.
		NoStepSubqueryIntervalFn: func(int64) int64 { return ScrapeInterval.Milliseconds() },
	})
	return &DB{
		engine: engine, samples: samples{byName: map[string][]*series{}}, head: head{metrics: map[string]*metric{}},
		registrySeries: map[string]*group{},
	}
}

// Close releases all resources.
func (db *DB) Close() error { return errors.Join(db.engine.Close(), db.head.close()) }

// Scrape is a scrape in progress.
type Scrape struct {
	db   *DB
	errs []error
}

// Knows reports whether a group of series was defined. Its number is small and identifies it in every
// scrape.
func (s *Scrape) Knows(number int) bool {
	return number < len(s.db.groups) && s.db.groups[number] != nil
}

// Define defines a group of series of which a scrape has all or none, such as those of a histogram.
// Their first samples follow.
func (s *Scrape) Define(number int, group []Series) {
	for number >= len(s.db.groups) {
		s.db.groups = append(s.db.groups, nil)
	}
	s.db.groups[number] = s.db.samples.add(group...)
}

// Values returns where a group's samples of this scrape are to be set. It is called once for each
// scrape that has the group.
func (s *Scrape) Values(number int) []float64 { return s.db.samples.row(s.db.groups[number]) }

// Scrape takes one sample of every series of the sources. Series that were in the last scrape and
// are not in this one are marked stale.
func (db *DB) Scrape(at time.Time, sources ...Source) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.samples.begin(at.UnixMilli()); err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	s := &Scrape{db: db}
	for _, source := range sources {
		source(s)
	}
	db.samples.end()
	if len(s.errs) > 0 {
		return fmt.Errorf("prometheus: scrape at %v: %w", at, errors.Join(s.errs...))
	}
	return nil
}

func toLabels(ls []Label) labels.Labels {
	b := labels.NewScratchBuilder(len(ls))
	for _, l := range ls {
		if l.Value != "" { // an empty label equals an absent one
			b.Add(l.Name, l.Value)
		}
	}
	b.Sort()
	return b.Labels()
}

// ErrQueryBudget is the error of queries after a run's queries have read [QueryBudget] samples.
var ErrQueryBudget = fmt.Errorf("the queries of this run read more than %d million samples, the limit of a run: "+
	"select fewer series, use shorter ranges or fewer metrics, or check less often", QueryBudget/1_000_000)

// Query evaluates an instant query whose result is a vector or a scalar, and returns a vector.
// After [QueryBudget] samples it always returns [ErrQueryBudget]. The budget is in samples and not
// in seconds, so that a run ends at the same query on any machine.
func (db *DB) Query(ctx context.Context, promQL string, at time.Time) (v promql.Vector, err error) {
	if db.samplesRead.Load() > QueryBudget {
		return nil, ErrQueryBudget
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, fmt.Errorf("prometheus: the engine panicked: %v", r)
		}
	}()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(promQL)
	if err != nil {
		return nil, err
	}
	text, err := textCostOf(expr)
	if err != nil {
		return nil, err
	}
	if err := db.head.feed(&db.samples, expr); err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	q, err := db.engine.NewInstantQuery(ctx, &db.head, nil, promQL, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	res := q.Exec(ctx)
	db.samplesRead.Add(q.Stats().Samples.TotalSamples * (1 + text.perSeries))
	if res.Err != nil {
		return nil, res.Err
	}
	switch v := res.Value.(type) {
	case promql.Vector:
		return append(promql.Vector(nil), v...), nil // q.Close reuses the original
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V}}, nil
	}
	return nil, fmt.Errorf("the query returns a %s; a check needs a scalar or an instant vector", res.Value.Type())
}

// RegistrySource returns a source of the counters and gauges of a client_golang registry, with
// added labels.
func RegistrySource(g prometheus.Gatherer, added ...Label) Source {
	return func(s *Scrape) {
		families, err := g.Gather()
		if err != nil {
			s.errs = append(s.errs, err)
			return
		}
		for _, f := range families {
			for _, m := range f.Metric {
				if v, ok := scalarValue(m); ok {
					s.addNamed(f.GetName(), m, added, v)
				}
			}
		}
	}
}

func (s *Scrape) addNamed(name string, m *dto.Metric, added []Label, value float64) {
	key := name + labelKey(m)
	t := s.db.registrySeries[key]
	if t == nil {
		t = s.db.samples.add(registrySeries(metricLabels(name, m, added)))
		s.db.registrySeries[key] = t
	}
	s.db.samples.row(t)[0] = value
}

// registrySeries are the labels of a series of a registry. It implements [Series].
type registrySeries []Label

// Label implements [Series].
func (s registrySeries) Label(name string) string {
	for _, l := range s {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// Labels implements [Series].
func (s registrySeries) Labels() []Label { return s }

func scalarValue(m *dto.Metric) (float64, bool) {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue(), true
	case m.Gauge != nil:
		return m.Gauge.GetValue(), true
	}
	return 0, false
}

func labelKey(m *dto.Metric) string {
	key := ""
	for _, l := range m.Label {
		key += "\xff" + l.GetName() + "\xfe" + l.GetValue()
	}
	return key
}

func metricLabels(name string, m *dto.Metric, added []Label) []Label {
	ls := append([]Label{{"__name__", name}}, added...)
	for _, l := range m.Label {
		ls = append(ls, Label{l.GetName(), l.GetValue()})
	}
	return ls
}
