package prom

import (
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

// samples are all samples of a run. Those that a query may select are appended to the database before
// it; of the others only numbers are kept, since appending them would take a sixth of a run's CPU time.
type samples struct {
	times  []int64 // of the scrapes, in milliseconds
	groups []*group
	list   []*series // in the order of their first samples
	byName map[string][]*series
}

// group has the values of some series for each scrape since their first one, scrape by scrape.
type group struct {
	first, width int
	values       []float64
}

// scrapes returns for how many scrapes the group has values.
func (g *group) scrapes() int { return len(g.values) / g.width }

// series is one of a group.
type series struct {
	source Series
	group  *group
	column int
	// ref and lset are those in the database, which has appended values.
	ref      storage.SeriesRef
	lset     labels.Labels
	appended int
}

// usualScrapes is for how many scrapes of a run there is room at first.
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

// add adds a group of series that have no sample yet.
func (s *samples) add(sources ...Series) *group {
	first := len(s.times) - 1
	room := len(sources) * max(usualScrapes-first, 4)
	g := &group{first: first, width: len(sources), values: make([]float64, 0, room)}
	s.groups = append(s.groups, g)
	members := make([]series, len(sources))
	for i, source := range sources {
		t := &members[i]
		*t = series{source: source, group: g, column: i}
		s.list = append(s.list, t)
		name := source.Label(labels.MetricName)
		s.byName[name] = append(s.byName[name], t)
	}
	return g
}

// row returns the place of a group's values of the present scrape. A group has one row for each
// scrape.
func (s *samples) row(g *group) []float64 {
	for g.first+g.scrapes() < len(s.times)-1 {
		g.fill(missing())
	}
	n := len(g.values)
	g.values = slices.Grow(g.values, g.width)[:n+g.width]
	return g.values[n:]
}

// fill adds a scrape in which all series have the same value.
func (g *group) fill(v float64) {
	for range g.width {
		g.values = append(g.values, v)
	}
}

// end marks series as stale that were in the last scrape and are not in this one, as Prometheus does
// (documentation, querying basics, staleness).
func (s *samples) end() {
	for _, g := range s.groups {
		if g.first+g.scrapes() == len(s.times)-1 && !value.IsStaleNaN(g.values[len(g.values)-1]) {
			g.fill(stale())
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
	g := t.group
	for scrapes := g.scrapes(); t.appended < scrapes; t.appended++ {
		v := g.values[t.appended*g.width+t.column]
		if math.Float64bits(v) == none {
			continue
		}
		ref, err := app.Append(t.ref, t.lset, times[g.first+t.appended], v)
		if err != nil {
			return err
		}
		t.ref = ref
	}
	return nil
}
