// Package prom is a Prometheus in memory: the real time series database head and the real PromQL engine, without a server,
// without scraping over a network and without a write-ahead log. Time is whatever the caller's clock says. The package knows
// no metric by name.
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

// ScrapeInterval is the one of Linkerd's viz extension (linkerd2, viz/charts/linkerd-viz/templates/prometheus.yaml).
const ScrapeInterval = 10 * time.Second

const (
	// maxSamples bounds what one query may hold in memory; Prometheus's own default is 50 million. A lab has a few thousand
	// series, so a sane query stays far below.
	maxSamples = 5_000_000
	// QueryBudget bounds what all queries of a run may read, in samples. Five checks of one service read some hundred thousand in
	// a run; 30 checks of a whole histogram every ten seconds read ten million, in five seconds of processor time. Reading is
	// dearest where each series gives one sample: about 2.4 µs each, so that the bound lies below a minute.
	QueryBudget = 20_000_000
	// lookback is Prometheus's default: how long the last sample of a series that is not marked stale counts as current.
	lookback = 5 * time.Minute
	// chunkRange keeps the whole run in the head; no block is ever cut.
	chunkRange = 48 * time.Hour
	// stripeSize of the series hash map; the default of 16384 costs megabytes for each run.
	stripeSize = 64
)

// DB is one Prometheus. Its methods may be called from several goroutines, [DB.Scrape] from one at a time.
type DB struct {
	head           *tsdb.Head
	engine         *promql.Engine
	dir            string
	series         []*scrapedSeries          // by the caller's number
	registrySeries map[string]*scrapedSeries // of registries, by name and labels
	round          int
	samplesRead    atomic.Int64 // samples that all queries have read
}

// scrapedSeries is a series that was seen in a scrape.
type scrapedSeries struct {
	ref   storage.SeriesRef
	lset  labels.Labels
	round int
}

// Label is a name and a value.
type Label struct{ Name, Value string }

// Source adds its current samples to a scrape.
type Source func(*Scrape)

// Open returns an empty database whose first sample may be at the given time.
func Open(begin time.Time) (*DB, error) {
	// Without a write-ahead log the head writes nothing until a chunk is full, but it insists on a directory.
	dir, err := os.MkdirTemp("", "coalmine-tsdb-")
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	o := tsdb.DefaultHeadOptions()
	o.ChunkDirRoot = dir
	o.ChunkRange = chunkRange.Milliseconds()
	o.StripeSize = stripeSize
	o.IsolationDisabled = true // one writer that never writes while somebody reads
	head, err := tsdb.NewHead(nil, nil, nil, nil, o, nil)
	if err == nil {
		err = head.Init(begin.Add(-time.Hour).UnixMilli())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prometheus: %w", err), os.RemoveAll(dir))
	}
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: maxSamples,
		// In virtual time a busy engine never times out: the bounds are maxSamples and what validation lets through.
		Timeout:              time.Minute,
		LookbackDelta:        lookback,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		Parser:               parser.NewParser(parser.Options{}),
	})
	return &DB{head: head, engine: engine, dir: dir, registrySeries: map[string]*scrapedSeries{}}, nil
}

// Close frees everything.
func (db *DB) Close() error {
	return errors.Join(db.engine.Close(), db.head.Close(), os.RemoveAll(db.dir))
}

// Series counts the series of the head.
func (db *DB) Series() uint64 { return db.head.NumSeries() }

// Scrape is one round of samples.
type Scrape struct {
	db   *DB
	app  storage.Appender
	at   int64 // milliseconds
	errs []error
}

// Add adds the sample of a series that has a small number of its own, the same in every scrape. Its labels, with __name__ and
// in any order, are asked for the first time only.
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

// Scrape takes one sample of every series of the sources. A series that the last scrape had and this one has not is marked
// stale, as Prometheus does (documentation, querying basics, staleness).
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
		if l.Value != "" { // an empty label is no label
			b.Add(l.Name, l.Value)
		}
	}
	b.Sort()
	return b.Labels()
}

// ErrQueryBudget says that the queries of a run have read more than [MaxRead] samples.
var ErrQueryBudget = fmt.Errorf("the queries of this run have read more than %d million samples, which is as much as a run may cost: ask for fewer series, shorter ranges or fewer metrics, or check less often", QueryBudget/1_000_000)

// Query evaluates an instant query. The result is a vector or a scalar, as a vector. After [MaxRead] samples it is always
// [ErrSpent]: samples are counted, not seconds, so that a run ends at the same query on any machine.
func (db *DB) Query(ctx context.Context, promQL string, at time.Time) (promql.Vector, error) {
	if db.samplesRead.Load() > QueryBudget {
		return nil, ErrQueryBudget
	}
	queryable := storage.QueryableFunc(func(mint, maxt int64) (storage.Querier, error) {
		return tsdb.NewBlockQuerier(tsdb.NewRangeHead(db.head, mint, maxt), mint, maxt)
	})
	q, err := db.engine.NewInstantQuery(ctx, queryable, nil, promQL, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	res := q.Exec(ctx)
	db.samplesRead.Add(q.Stats().Samples.TotalSamples)
	if res.Err != nil {
		return nil, res.Err
	}
	switch v := res.Value.(type) {
	case promql.Vector:
		return append(promql.Vector(nil), v...), nil // q.Close takes the original back
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V}}, nil
	}
	return nil, fmt.Errorf("the query returns a %s; a check needs a scalar or an instant vector", res.Value.Type())
}

// RegistrySource is a source of the counters and gauges of a client_golang registry, with labels added to each.
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
