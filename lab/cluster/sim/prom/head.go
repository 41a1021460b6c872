package prom

import (
	"context"
	"errors"
	"os"
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

// feed appends what an expression may select and what is pending of it. The head answers in the order
// in which it got to know the series. That is the order of scrapes among the series of a metric; once a
// query names no metric, it has to be so among all, so the head is filled again.
func (h *head) feed(s *samples, expr parser.Expr) error {
	names, everything := selected(expr)
	if everything && !h.everything {
		h.everything = true
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
	lists := [][]*series{s.list}
	if !h.everything {
		lists = lists[:0]
		for _, name := range names {
			lists = append(lists, s.byName[name])
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

// selected returns the metrics that an expression names. everything is set if it selects series
// otherwise.
func selected(expr parser.Expr) (names []string, everything bool) {
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			name := metricName(v)
			names, everything = append(names, name), everything || name == ""
		}
		return nil
	})
	return names, everything
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
