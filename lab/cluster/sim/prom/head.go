package prom

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	// chunkRange keeps the whole run in the head, and lets late samples in for half as long; no block
	// is ever cut.
	chunkRange = 60 * 24 * time.Hour
	// stripeSize is that of the series hash map. The default of 16384 costs megabytes per run.
	stripeSize = 64
)

// head is the head block of Prometheus' database, opened for the first query.
type head struct {
	*tsdb.Head
	dir string
	// everything is set once a query has selected series without naming their metric.
	everything bool
	// metrics are those that queries have named.
	metrics map[string]*metric
}

// open opens the head block. Without a write-ahead log it writes nothing until a chunk is full, but it
// requires a directory.
func (h *head) open(start int64) error {
	dir, err := os.MkdirTemp("", "coalmine-tsdb-")
	if err != nil {
		return err
	}
	o := tsdb.DefaultHeadOptions()
	o.ChunkDirRoot = dir
	o.ChunkRange = chunkRange.Milliseconds()
	o.StripeSize = stripeSize
	o.IsolationDisabled = true // nothing is appended during a query
	block, err := tsdb.NewHead(nil, nil, nil, nil, o, nil)
	if err == nil {
		err = block.Init(start)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	h.Head, h.dir = block, dir
	return nil
}

// close closes the head block, if it is open.
func (h *head) close() error {
	if h.Head == nil {
		return nil
	}
	err := errors.Join(h.Close(), os.RemoveAll(h.dir))
	h.Head = nil
	return err
}

// Querier implements [storage.Queryable].
func (h *head) Querier(mint, maxt int64) (storage.Querier, error) {
	return tsdb.NewBlockQuerier(tsdb.NewRangeHead(h.Head, mint, maxt), mint, maxt)
}

// feed appends what is pending of the series that an expression selects. The head answers in the order
// in which it got to know the series. That has to be the order of scrapes among the series of a metric,
// and among all once a query names no metric. So the head is filled again when a query selects others
// than those before it.
func (h *head) feed(s *samples, expr parser.Expr) error {
	metrics, refill := h.selected(expr)
	if refill {
		if err := h.close(); err != nil {
			return err
		}
		for _, t := range s.list {
			t.ref, t.appended = 0, 0
		}
	}
	if h.Head == nil {
		var start int64
		if len(s.times) > 0 {
			start = s.times[0]
		}
		if err := h.open(start); err != nil {
			return err
		}
	}
	app := h.Appender(context.Background())
	var lists [][]*series
	if h.everything {
		lists = append(lists, s.list)
	} else {
		for _, m := range metrics {
			lists = append(lists, m.update(s.byName[m.name]))
		}
	}
	for _, list := range lists {
		for _, t := range list {
			if err := t.appendTo(app, s.times); err != nil {
				return errors.Join(err, app.Rollback())
			}
		}
	}
	return app.Commit()
}

// selected returns the metrics that an expression names. refill is set if it selects series that the
// head may lack among those that it has.
func (h *head) selected(expr parser.Expr) (metrics []*metric, refill bool) {
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		name := metricName(v)
		if name == "" {
			refill = refill || !h.everything
			h.everything = true
			return nil
		}
		m := h.metrics[name]
		if m == nil {
			m = &metric{name: name}
			h.metrics[name] = m
		}
		if m.add(v.LabelMatchers) {
			refill = refill || len(m.list) > 0
			m.seen, m.list = 0, nil
		}
		metrics = append(metrics, m)
		return nil
	})
	return metrics, refill
}

// maxSelections bounds the different selections of one metric. Further ones select all its series.
const maxSelections = 8

// metric is a metric that queries name, with those of its series that they select.
type metric struct {
	name       string
	selections [][]*labels.Matcher
	all        bool
	// list are the selected ones of the first seen series.
	seen int
	list []*series
}

// add adds what a query selects. It reports whether that is new.
func (m *metric) add(selection []*labels.Matcher) bool {
	same := func(other []*labels.Matcher) bool {
		return slices.EqualFunc(selection, other, func(a, b *labels.Matcher) bool {
			return a.Type == b.Type && a.Name == b.Name && a.Value == b.Value
		})
	}
	if m.all || slices.ContainsFunc(m.selections, same) {
		return false
	}
	m.selections = append(m.selections, selection)
	m.all = len(m.selections) > maxSelections
	return true
}

// update returns the selected ones of the metric's series.
func (m *metric) update(all []*series) []*series {
	for _, t := range all[m.seen:] {
		if m.all || slices.ContainsFunc(m.selections, t.matches) {
			m.list = append(m.list, t)
		}
	}
	m.seen = len(all)
	return m.list
}

// matches reports whether a series has labels that match.
func (t *series) matches(selection []*labels.Matcher) bool {
	for _, m := range selection {
		if !m.Matches(t.source.Label(m.Name)) {
			return false
		}
	}
	return true
}

// metricName returns the metric that a selector names, or "".
func metricName(v *parser.VectorSelector) string {
	for _, m := range v.LabelMatchers {
		if m.Name == labels.MetricName && m.Type == labels.MatchEqual {
			return m.Value
		}
	}
	return ""
}
