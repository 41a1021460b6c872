// Package prom is an in-memory Prometheus: the head block of the real time series database and the
// real PromQL engine, without a server, network scraping or a write-ahead log. The caller supplies
// the time.
package prom

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
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
	// chunkRange keeps the whole run in the head; no block is ever cut.
	chunkRange = 48 * time.Hour
	// stripeSize is that of the series hash map. The default of 16384 costs megabytes per run.
	stripeSize = 64
)

// DB is a Prometheus. Its methods are safe for concurrent use, except for [DB.Scrape].
type DB struct {
	head           *tsdb.Head
	engine         *promql.Engine
	dir            string
	series         []*scrapedSeries          // indexed by the caller's number
	registrySeries map[string]*scrapedSeries // series of registries, by name and labels
	round          int
	samplesRead    atomic.Int64 // by all queries
}

// scrapedSeries is a series that occurred in a scrape.
type scrapedSeries struct {
	ref   storage.SeriesRef
	lset  labels.Labels
	round int
}

// Label is a name and a value.
type Label struct{ Name, Value string }

// Source adds its current samples to a scrape.
type Source func(*Scrape)

// Open returns an empty database. start is the earliest time of a sample.
func Open(start time.Time) (*DB, error) {
	// Without a write-ahead log the head writes nothing until a chunk is full, but it requires a
	// directory.
	dir, err := os.MkdirTemp("", "coalmine-tsdb-")
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	o := tsdb.DefaultHeadOptions()
	o.ChunkDirRoot = dir
	o.ChunkRange = chunkRange.Milliseconds()
	o.StripeSize = stripeSize
	o.IsolationDisabled = true // there is one writer, and it never writes during a query
	head, err := tsdb.NewHead(nil, nil, nil, nil, o, nil)
	if err == nil {
		err = head.Init(start.Add(-time.Hour).UnixMilli())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prometheus: %w", err), os.RemoveAll(dir))
	}
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
	return &DB{head: head, engine: engine, dir: dir, registrySeries: map[string]*scrapedSeries{}}, nil
}

// Close releases all resources.
func (db *DB) Close() error {
	return errors.Join(db.engine.Close(), db.head.Close(), os.RemoveAll(db.dir))
}

// Scrape is a scrape in progress.
type Scrape struct {
	db   *DB
	app  storage.Appender
	at   int64 // milliseconds
	errs []error
}

// Add adds a sample of a series. number is small and identifies the series in every scrape. labels
// returns the series' labels, with __name__ and in any order; it is called only the first time.
func (s *Scrape) Add(number int, value float64, labels func() []Label) {
	for number >= len(s.db.series) {
		s.db.series = append(s.db.series, nil)
	}
	t := s.db.series[number]
	if t == nil {
		t = &scrapedSeries{lset: toLabels(labels())}
		s.db.series[number] = t
	}
	s.append(t, value)
}

func (s *Scrape) append(t *scrapedSeries, value float64) {
	t.round = s.db.round
	ref, err := s.app.Append(t.ref, t.lset, s.at, value)
	t.ref = ref
	if err != nil {
		s.errs = append(s.errs, err)
	}
}

// Scrape takes one sample of every series of the sources. Series that were in the last scrape and
// are not in this one are marked stale, as Prometheus does (documentation, querying basics,
// staleness).
func (db *DB) Scrape(at time.Time, sources ...Source) error {
	db.round++
	s := &Scrape{db: db, app: db.head.Appender(context.Background()), at: at.UnixMilli()}
	for _, source := range sources {
		source(s)
	}
	s.markStale()
	if len(s.errs) > 0 {
		return errors.Join(fmt.Errorf("prometheus: scrape at %v: %w", at, errors.Join(s.errs...)), s.app.Rollback())
	}
	return s.app.Commit()
}

func (s *Scrape) markStale() {
	stale := math.Float64frombits(value.StaleNaN)
	mark := func(t *scrapedSeries) {
		if t != nil && t.round == s.db.round-1 {
			s.append(t, stale)
			t.round = 0
		}
	}
	for _, t := range s.db.series {
		mark(t)
	}
	for _, t := range s.db.registrySeries {
		mark(t)
	}
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
	queryable := storage.QueryableFunc(func(mint, maxt int64) (storage.Querier, error) {
		return tsdb.NewBlockQuerier(tsdb.NewRangeHead(db.head, mint, maxt), mint, maxt)
	})
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
	q, err := db.engine.NewInstantQuery(ctx, queryable, nil, promQL, at)
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
		t = &scrapedSeries{lset: toLabels(metricLabels(name, m, added))}
		s.db.registrySeries[key] = t
	}
	s.append(t, value)
}

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
