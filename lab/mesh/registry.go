package mesh

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// RetainIdle is how long a proxy exports request_total and response_* of a target without traffic
// (linkerd2-proxy, linkerd/app/src/env.rs, DEFAULT_METRICS_RETAIN_IDLE). After that they restart at
// 0.
const RetainIdle = 10 * time.Minute

// Label is a label of a series.
type Label struct{ Name, Value string }

// Registry holds the series of all pods. Recording only adds to a number; the labels of a series are
// built when they are first asked for. As with the proxy, [Registry.Each] omits metrics that were
// never recorded.
//
// Each series belongs to an owner, a number that identifies one scraped process; see
// [Registry.Remove].
type Registry struct {
	list    []*metric
	byKey   map[string]*metric
	removed map[int]bool // by owner
	nextID  int
	// bounds are shared by all histograms, to stay in the CPU cache.
	bounds bounds
	// pending have counts that the metrics lack.
	pending []unsettled
}

// unsettled counts what often happens together, to add it to the metrics when they are asked for.
type unsettled interface{ settle() }

// postpone makes the registry ask for counts later, unless pending says that it will.
func (r *Registry) postpone(u unsettled, pending *bool) {
	if !*pending {
		*pending = true
		r.pending = append(r.pending, u)
	}
}

// settle adds all counts to the metrics.
func (r *Registry) settle() {
	for _, u := range r.pending {
		u.settle()
	}
	r.pending = r.pending[:0]
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{byKey: map[string]*metric{}, removed: map[int]bool{}, bounds: newBounds()}
}

// metric is a counter, a gauge or a histogram. The fields written by recording come first, to share
// a cache line.
type metric struct {
	recorded bool
	// value is that of a counter or gauge, or the sum of a histogram in nanoseconds or milliseconds:
	// a whole number, so that it does not depend on the order of the summands.
	value float64
	// counts are those of a histogram's buckets; the last one is +Inf.
	counts []uint32
	bounds []float64
	// unit is how much of value is one of the bounds' units.
	unit float64
	// lastUsed is when the metric's target was last recorded, or nil for metrics that are retained.
	lastUsed *time.Duration

	owner   int
	key     string
	firstID int
	name    string
	base    []Label
	labels  [][]Label // by series; nil until they are asked for
}

// Counter is the handle of a counter or gauge.
type Counter struct{ m *metric }

// Inc adds 1.
func (c Counter) Inc() { c.add(1) }

func (c Counter) add(n uint32) {
	c.m.recorded = true
	c.m.value += float64(n)
}

// Set sets the value of a gauge.
func (c Counter) Set(v float64) {
	c.m.recorded = true
	c.m.value = v
}

// Histogram is the handle of a histogram.
type Histogram struct{ m *metric }

// observe counts a whole number of nanoseconds or milliseconds in its bucket.
func (h Histogram) observe(bucket uint8, v int64) {
	h.m.recorded = true
	h.m.counts[bucket]++
	h.m.value += float64(v)
}

// add adds the counts of several observations, and their sum.
func (h Histogram) add(counts []uint32, sum int64) {
	h.m.recorded = true
	for i, n := range counts {
		h.m.counts[i] += n
	}
	h.m.value += float64(sum)
}

// Counter returns the counter with a name and labels, creating it if necessary. Labels with empty
// values are dropped: to Prometheus they equal absent ones.
func (r *Registry) Counter(owner int, name string, labels ...Label) Counter {
	return Counter{r.intern(owner, nil, nil, name, labels)}
}

// Histogram returns the histogram of seconds with a name, labels and upper bounds; the bucket +Inf is
// added.
func (r *Registry) Histogram(owner int, name string, bounds []float64, labels ...Label) Histogram {
	h := Histogram{r.intern(owner, nil, bounds, name, labels)}
	h.m.unit = float64(time.Second)
	return h
}

func (r *Registry) intern(owner int, used *time.Duration, bounds []float64, name string, labels []Label) *metric {
	labels = slices.DeleteFunc(slices.Clone(labels), func(l Label) bool { return l.Value == "" })
	key := seriesKey(owner, name, labels)
	if m := r.byKey[key]; m != nil {
		return m
	}
	m := &metric{owner: owner, key: key, lastUsed: used, bounds: bounds, firstID: r.nextID, name: name, base: labels}
	r.nextID++
	if bounds != nil {
		m.unit = 1
		m.counts = make([]uint32, len(bounds)+1)
		r.nextID += len(bounds) + 2
	}
	if !r.removed[owner] {
		r.byKey[key] = m
		r.list = append(r.list, m)
	}
	return m
}

func seriesKey(owner int, name string, labels []Label) string {
	sorted := slices.Clone(labels)
	slices.SortFunc(sorted, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	size := len(name) + 20
	for _, l := range sorted {
		size += len(l.Name) + len(l.Value) + 2
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(strconv.Itoa(owner))
	b.WriteByte(0)
	b.WriteString(name)
	for _, l := range sorted {
		b.WriteByte(0)
		b.WriteString(l.Name)
		b.WriteByte(0)
		b.WriteString(l.Value)
	}
	return b.String()
}

func withName(name string, labels []Label, more ...Label) []Label {
	return slices.Concat([]Label{{"__name__", name}}, labels, more)
}

// histogramLabels returns the labels of the buckets, of the count and of the sum, in this order.
func histogramLabels(name string, bounds []float64, labels []Label) [][]Label {
	var all [][]Label
	for i := range len(bounds) + 1 {
		all = append(all, withName(name+"_bucket", labels, Label{"le", bucketLabel(bounds, i)}))
	}
	return append(all,
		withName(name+"_count", labels),
		withName(name+"_sum", labels))
}

// Series is a counter, a gauge, or one of the series of a histogram: its buckets, its count and its
// sum, in this order.
type Series struct {
	m *metric
	n int
}

// ID identifies the series for the life of the registry.
func (s Series) ID() int { return s.m.firstID + s.n }

// Name returns the label __name__.
func (s Series) Name() string {
	switch buckets := len(s.m.counts); {
	case buckets == 0:
		return s.m.name
	case s.n < buckets:
		return s.m.name + "_bucket"
	case s.n == buckets:
		return s.m.name + "_count"
	}
	return s.m.name + "_sum"
}

// Label returns the value of a label, or "" if there is none.
func (s Series) Label(name string) string {
	switch {
	case name == "__name__":
		return s.Name()
	case name == "le" && s.n < len(s.m.counts):
		return bucketLabel(s.m.bounds, s.n)
	}
	for _, l := range s.m.base {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// bucketLabel returns the value of the label le of a bucket; the last one has no bound.
func bucketLabel(bounds []float64, bucket int) string {
	if bucket == len(bounds) {
		return "+Inf"
	}
	return strconv.FormatFloat(bounds[bucket], 'f', -1, 64)
}

// Labels returns all labels, __name__ first. They must not be changed.
func (s Series) Labels() []Label {
	switch m := s.m; {
	case m.labels != nil:
	case m.bounds == nil:
		m.labels = [][]Label{withName(m.name, m.base)}
	default:
		m.labels = histogramLabels(m.name, m.bounds, m.base)
	}
	return s.m.labels[s.n]
}

// Each calls f for every metric that was recorded, in an order that depends only on the order of
// recording.
func (r *Registry) Each(now time.Duration, f func(Metric)) {
	r.settle()
	for _, m := range r.list {
		if m.recorded && m.lastUsed != nil && now-*m.lastUsed > RetainIdle {
			m.reset()
		}
		if m.recorded {
			f(Metric{m})
		}
	}
}

// Collect calls each for every series of the metrics of [Registry.Each], with its id and its labels,
// which must not be changed.
func (r *Registry) Collect(now time.Duration, each func(id int, labels []Label, value float64)) {
	var values []float64
	r.Each(now, func(m Metric) {
		values = append(values[:0], make([]float64, m.Len())...)
		m.Values(values)
		for i, v := range values {
			s := m.Series(i)
			each(s.ID(), s.Labels(), v)
		}
	})
}

func (m *metric) reset() {
	m.recorded = false
	m.value = 0
	clear(m.counts)
}

// Metric is a counter, a gauge or a histogram with its series.
type Metric struct{ m *metric }

// ID identifies the metric for the life of the registry.
func (x Metric) ID() int { return x.m.firstID }

// Len returns the number of series, which is always the same.
func (x Metric) Len() int {
	if x.m.bounds == nil {
		return 1
	}
	return len(x.m.counts) + 2
}

// Series returns series i.
func (x Metric) Series(i int) Series { return Series{x.m, i} }

// Values sets the present values of all series.
func (x Metric) Values(values []float64) {
	m, count := x.m, uint64(0)
	last := len(m.counts)
	if m.bounds != nil {
		for i, v := range m.counts {
			count += uint64(v)
			values[i] = float64(count)
		}
		values[last] = float64(count)
		values[last+1] = m.value / m.unit
		return
	}
	values[0] = m.value
}

// Remove deletes the series of an owner for good, when its process is gone. Recording by its
// handles has no effect.
func (r *Registry) Remove(owner int) {
	r.settle()
	r.removed[owner] = true
	r.list = slices.DeleteFunc(r.list, func(m *metric) bool {
		if m.owner == owner {
			delete(r.byKey, m.key)
		}
		return m.owner == owner
	})
}

// Reset sets the series of an owner to zero, when its process has restarted. Handles remain valid.
func (r *Registry) Reset(owner int) {
	r.settle()
	for _, m := range r.list {
		if m.owner == owner {
			m.reset()
		}
	}
}
