package prom

import (
	"fmt"
	"math"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

// samples are all samples of a run. Those that a query may select are appended to the database before
// it; of the others only numbers are kept, since appending them would take a sixth of a run's CPU time.
type samples struct {
	times  []int64   // of the scrapes, in milliseconds
	list   []*series // in the order of their first samples
	byName map[string][]*series
}

// series has a value for each scrape since its first one.
type series struct {
	source Series
	first  int // scrape of values[0]
	values []float64
	// ref and lset are those in the database, which has appended values.
	ref      storage.SeriesRef
	lset     labels.Labels
	appended int
}

// usualScrapes is how many scrapes a series has room for at first.
const usualScrapes = 64

// missing stands for no sample. It is a NaN that no source has, like the marker of stale series.
func missing() float64 { return math.Float64frombits(value.StaleNaN + 1) }

func stale() float64 { return math.Float64frombits(value.StaleNaN) }

// begin starts a scrape. Times must increase.
func (s *samples) begin(at int64) error {
	if n := len(s.times); n > 0 && at <= s.times[n-1] {
		return fmt.Errorf("the last scrape was at %d ms, so one at %d ms is out of order", s.times[n-1], at)
	}
	s.times = append(s.times, at)
	return nil
}

// add adds a series that has no sample yet.
func (s *samples) add(source Series) *series {
	t := &series{source: source, first: len(s.times) - 1, values: make([]float64, 0, usualScrapes)}
	s.list = append(s.list, t)
	name := source.Label(labels.MetricName)
	s.byName[name] = append(s.byName[name], t)
	return t
}

// sample adds a value of a series in the present scrape. A series has one value for each scrape.
func (s *samples) sample(t *series, v float64) {
	for t.first+len(t.values) < len(s.times)-1 {
		t.values = append(t.values, missing())
	}
	t.values = append(t.values, v)
}

// end marks series as stale that were in the last scrape and are not in this one, as Prometheus does
// (documentation, querying basics, staleness).
func (s *samples) end() {
	for _, t := range s.list {
		if t.first+len(t.values) == len(s.times)-1 && !value.IsStaleNaN(t.values[len(t.values)-1]) {
			t.values = append(t.values, stale())
		}
	}
}

// appendTo appends the samples that are pending. Like a scrape it gives the database a series when it
// has the first sample.
func (t *series) appendTo(app storage.Appender, times []int64) error {
	if t.lset.IsEmpty() {
		t.lset = toLabels(t.source.Labels())
	}
	none := math.Float64bits(missing())
	for ; t.appended < len(t.values); t.appended++ {
		v := t.values[t.appended]
		if math.Float64bits(v) == none {
			continue
		}
		ref, err := app.Append(t.ref, t.lset, times[t.first+t.appended], v)
		if err != nil {
			return err
		}
		t.ref = ref
	}
	return nil
}
