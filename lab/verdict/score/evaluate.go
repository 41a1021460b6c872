package score

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// This file evaluates queries of a log on series that are made up.

// Bounds of what a query of a log may cost. Guardrails cannot have longer queries, but a log can.
const (
	maxQuery   = 16 << 10 // bytes
	maxSamples = 50_000
)

// The series have a sample every scrapeStep for traffic seconds, at rate responses a second.
const (
	scrapeStep = 10 * time.Second
	traffic    = 10 * time.Minute
	rate       = 100.0
)

// counter is a counter that rises evenly.
type counter struct {
	labels    map[string]string
	perSecond float64
}

// counters are what a query is evaluated on.
type counters []counter

// succeeding returns the counters while all responses succeed.
func succeeding(pairs []responsePair) counters { return counting(pairs, 0) }

// halfFailing returns the counters while every other response has the status.
func halfFailing(pairs []responsePair) counters { return counting(pairs, 0.5) }

func counting(pairs []responsePair, failing float64) counters {
	var all counters
	for _, p := range pairs {
		if p.bad != nil {
			all = append(all, counter{p.bad, failing * rate})
		}
		all = append(all, counter{p.good, (1 - failing) * rate})
	}
	return all
}

// evaluate returns the first value of a query after ten minutes of traffic, as Flagger takes it. It
// returns false if there is none, or if the query is not valid or too expensive.
func evaluate(query string, c counters) (value float64, ok bool) {
	defer func() { // the parser reports some errors so
		if recover() != nil {
			ok = false
		}
	}()
	if len(query) > maxQuery {
		return 0, false
	}
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: maxSamples, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		Parser:                   parser.NewParser(parser.Options{}),
		NoStepSubqueryIntervalFn: func(int64) int64 { return scrapeStep.Milliseconds() },
	})
	ctx := context.Background()
	q, err := engine.NewInstantQuery(ctx, c, nil, query, time.UnixMilli(traffic.Milliseconds()))
	if err != nil {
		return 0, false
	}
	defer q.Close()
	switch v := q.Exec(ctx).Value.(type) {
	case promql.Scalar:
		return v.V, true
	case promql.Vector:
		if len(v) > 0 {
			return v[0].F, true
		}
	}
	return 0, false
}

// Querier implements [storage.Queryable].
func (c counters) Querier(int64, int64) (storage.Querier, error) { return c, nil }

// Select returns the counters that matchers select, as far as their labels are known.
func (c counters) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher,
) storage.SeriesSet {
	set := &seriesSet{at: -1}
	for _, x := range c {
		if selects(matchers, x.labels) {
			set.series = append(set.series, storage.NewListSeries(labels.FromMap(x.labels), x.samples()))
		}
	}
	return set
}

func (x counter) samples() []chunks.Sample {
	var list []chunks.Sample
	for at := time.Duration(0); at <= traffic; at += scrapeStep {
		list = append(list, sample{at.Milliseconds(), x.perSecond * at.Seconds()})
	}
	return list
}

// LabelValues implements [storage.LabelQuerier], as do the next two. Queries do not call them.
func (counters) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher,
) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// LabelNames returns none.
func (counters) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher,
) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// Close does nothing.
func (counters) Close() error { return nil }

// seriesSet is a list of series.
type seriesSet struct {
	series []storage.Series
	at     int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *seriesSet) At() storage.Series                { return s.series[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// sample is a value at a time in milliseconds.
type sample struct {
	t int64
	v float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.v }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
