// Package promeval evaluates PromQL with Prometheus' own engine on series that are made up: what a
// query gives while everything succeeds, while some requests fail, or without any traffic.
package promeval

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// Bounds of what a query may cost. Guardrails cannot have longer queries, but a log can.
const (
	maxQuery   = 16 << 10 // bytes
	maxSamples = 50_000
)

// The series have a sample every step for Traffic, at Rate responses a second unless a counter says
// otherwise.
const (
	step = 10 * time.Second
	// Traffic is how long there has been traffic when a query is evaluated.
	Traffic = 10 * time.Minute
	// Rate is a usual number of responses per second.
	Rate = 100.0
)

// Any stands for the value of a label that a series has but the author of the query chose.
const Any = "any"

// Counter is a counter that rises evenly from a value on. One that does not rise is a gauge.
type Counter struct {
	Labels    map[string]string
	PerSecond float64
	From      float64
}

// Store is what a query is evaluated on. The empty store has no traffic.
type Store []Counter

// Evaluator evaluates queries. Making one takes longer than evaluating most queries.
type Evaluator struct{ engine *promql.Engine }

// New returns an evaluator.
func New() *Evaluator {
	return &Evaluator{promql.NewEngine(promql.EngineOpts{
		MaxSamples: maxSamples, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		Parser:                   parser.NewParser(parser.Options{}),
		NoStepSubqueryIntervalFn: func(int64) int64 { return step.Milliseconds() },
	})}
}

// Evaluate returns the value of a query after ten minutes of traffic, as Flagger takes it: the last
// one of several. It returns false if there is none, or if the query is not valid or too expensive.
// The value can be NaN.
func (e *Evaluator) Evaluate(query string, s Store) (value float64, ok bool) {
	defer func() { // the parser reports some errors so
		if recover() != nil {
			ok = false
		}
	}()
	if len(query) > maxQuery {
		return 0, false
	}
	ctx := context.Background()
	q, err := e.engine.NewInstantQuery(ctx, s, nil, query, time.UnixMilli(Traffic.Milliseconds()))
	if err != nil {
		return 0, false
	}
	defer q.Close()
	switch v := q.Exec(ctx).Value.(type) {
	case promql.Scalar:
		return v.V, true
	case promql.Vector:
		if len(v) > 0 {
			return v[len(v)-1].F, true
		}
	}
	return 0, false
}

// Querier implements [storage.Queryable].
func (s Store) Querier(int64, int64) (storage.Querier, error) { return s, nil }

// Select returns the counters that matchers select, as far as their labels are known.
func (s Store) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher,
) storage.SeriesSet {
	set := &seriesSet{at: -1}
	for _, c := range s {
		if selects(matchers, c.Labels) {
			set.series = append(set.series, storage.NewListSeries(labels.FromMap(c.Labels), c.samples()))
		}
	}
	return set
}

// selects reports whether matchers select a series, as far as its labels are known.
func selects(matchers []*labels.Matcher, series map[string]string) bool {
	for _, m := range matchers { // the metric's name is among them
		if value, known := series[m.Name]; known && value != Any && !m.Matches(value) {
			return false
		}
	}
	return true
}

// LabelValues implements [storage.LabelQuerier], as do the next two. Queries do not call them.
func (Store) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher,
) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// LabelNames returns none.
func (Store) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher,
) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// Close does nothing.
func (Store) Close() error { return nil }
