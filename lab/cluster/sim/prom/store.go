package prom

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// store keeps all samples of a run. It answers like the head block of Prometheus' database, with
// which a test compares it, and spends nothing on what no query selects: a sample is one number in
// a slice, and labels are built for the first query of their metric.
type store struct {
	times  []int64   // of the scrapes, in milliseconds
	list   []*series // in the order of their first samples, which is that of answers
	byName map[string][]*series
}

// series has a value for each scrape since its first one.
type series struct {
	source    Series
	lset      labels.Labels
	described bool
	first     int // scrape of values[0]
	values    []float64
}

// usualScrapes is how many scrapes a series has room for at first.
const usualScrapes = 64

// missing stands for no sample. It is a NaN that no source has, like the marker of stale series.
func missing() float64 { return math.Float64frombits(value.StaleNaN + 1) }

func stale() float64 { return math.Float64frombits(value.StaleNaN) }

// begin starts a scrape. Times must increase.
func (s *store) begin(at int64) error {
	if n := len(s.times); n > 0 && at <= s.times[n-1] {
		return fmt.Errorf("the last scrape was at %d ms, so one at %d ms is out of order", s.times[n-1], at)
	}
	s.times = append(s.times, at)
	return nil
}

// add adds a series that has no sample yet.
func (s *store) add(source Series) *series {
	t := &series{source: source, first: len(s.times) - 1, values: make([]float64, 0, usualScrapes)}
	s.list = append(s.list, t)
	name := source.Name()
	s.byName[name] = append(s.byName[name], t)
	return t
}

// sample adds a value of a series in the present scrape. A series has one value for each scrape.
func (s *store) sample(t *series, v float64) {
	for t.first+len(t.values) < len(s.times)-1 {
		t.values = append(t.values, missing())
	}
	t.values = append(t.values, v)
}

// end marks series as stale that were in the last scrape and are not in this one, as Prometheus does
// (documentation, querying basics, staleness).
func (s *store) end() {
	for _, t := range s.list {
		if t.first+len(t.values) == len(s.times)-1 && !value.IsStaleNaN(t.values[len(t.values)-1]) {
			t.values = append(t.values, stale())
		}
	}
}

// labels returns the labels of a series.
func (t *series) labels() labels.Labels {
	if !t.described {
		t.lset, t.described = toLabels(t.source.Labels()), true
	}
	return t.lset
}

// matches reports whether the labels of a series match all matchers.
func (t *series) matches(matchers []*labels.Matcher) bool {
	lset := t.labels()
	for _, m := range matchers {
		if !m.Matches(lset.Get(m.Name)) {
			return false
		}
	}
	return true
}

// querier implements [storage.Querier] for a span of time.
type querier struct {
	store      *store
	mint, maxt int64
}

// Querier implements [storage.Queryable].
func (s *store) Querier(mint, maxt int64) (storage.Querier, error) {
	return querier{s, mint, maxt}, nil
}

// Select implements [storage.Querier]. Like the head block it returns series in the order of their
// first samples, unless they are to be sorted.
func (q querier) Select(_ context.Context, sorted bool, hints *storage.SelectHints,
	matchers ...*labels.Matcher) storage.SeriesSet {
	mint, maxt := q.mint, q.maxt
	if hints != nil {
		mint, maxt = hints.Start, hints.End
	}
	from, _ := slices.BinarySearch(q.store.times, mint)
	to, _ := slices.BinarySearch(q.store.times, maxt+1)
	set := &seriesSet{at: -1}
	for _, t := range q.candidates(matchers) {
		s := span{t, q.store.times, max(from, t.first), min(to, t.first+len(t.values))}
		if s.from < s.to && t.matches(matchers) {
			set.list = append(set.list, s)
		}
	}
	if sorted {
		slices.SortFunc(set.list, func(a, b span) int { return labels.Compare(a.lset, b.lset) })
	}
	return set
}

// candidates returns the series that the matchers may select: those of one metric, if they name it.
func (q querier) candidates(matchers []*labels.Matcher) []*series {
	for _, m := range matchers {
		if m.Name == labels.MetricName && m.Type == labels.MatchEqual {
			return q.store.byName[m.Value]
		}
	}
	return q.store.list
}

var errNoLabelQueries = errors.New("the sim's Prometheus answers instant queries only")

// LabelValues implements [storage.LabelQuerier]. The engine does not call it.
func (querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string,
	annotations.Annotations, error) {
	return nil, nil, errNoLabelQueries
}

// LabelNames implements [storage.LabelQuerier]. The engine does not call it.
func (querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string,
	annotations.Annotations, error) {
	return nil, nil, errNoLabelQueries
}

// Close implements [storage.LabelQuerier].
func (querier) Close() error { return nil }

// seriesSet implements [storage.SeriesSet].
type seriesSet struct {
	list []span
	at   int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.list) }
func (s *seriesSet) At() storage.Series                { return s.list[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// span is a series in the scrapes of a span of time. It implements [storage.Series].
type span struct {
	*series
	times    []int64
	from, to int // scrapes, to excluded
}

// Labels implements [storage.Series].
func (s span) Labels() labels.Labels { return s.lset }

// Iterator implements [storage.Series].
func (s span) Iterator(reuse chunkenc.Iterator) chunkenc.Iterator {
	it, ok := reuse.(*iterator)
	if !ok {
		it = &iterator{}
	}
	*it = iterator{span: s, at: s.from - 1}
	return it
}

// iterator implements [chunkenc.Iterator] for floats.
type iterator struct {
	span
	at int // scrape
}

// Next implements [chunkenc.Iterator].
func (i *iterator) Next() chunkenc.ValueType {
	if i.at < i.to {
		i.at++
	}
	return i.skip()
}

// Seek implements [chunkenc.Iterator].
func (i *iterator) Seek(t int64) chunkenc.ValueType {
	from := max(i.at, i.from)
	if from >= i.to {
		i.at = i.to
		return chunkenc.ValNone
	}
	skipped, _ := slices.BinarySearch(i.times[from:i.to], t)
	i.at = from + skipped
	return i.skip()
}

// skip moves on to the next sample unless there is one.
func (i *iterator) skip() chunkenc.ValueType {
	none := math.Float64bits(missing())
	for ; i.at < i.to; i.at++ {
		if math.Float64bits(i.values[i.at-i.first]) != none {
			return chunkenc.ValFloat
		}
	}
	return chunkenc.ValNone
}

// At implements [chunkenc.Iterator].
func (i *iterator) At() (int64, float64) { return i.times[i.at], i.values[i.at-i.first] }

// AtT implements [chunkenc.Iterator].
func (i *iterator) AtT() int64 { return i.times[i.at] }

// AtST implements [chunkenc.Iterator].
func (i *iterator) AtST() int64 { return 0 }

// Err implements [chunkenc.Iterator].
func (i *iterator) Err() error { return nil }

// AtHistogram implements [chunkenc.Iterator]. There are no native histograms.
func (i *iterator) AtHistogram(*histogram.Histogram) (int64, *histogram.Histogram) { return 0, nil }

// AtFloatHistogram implements [chunkenc.Iterator].
func (i *iterator) AtFloatHistogram(*histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return 0, nil
}
