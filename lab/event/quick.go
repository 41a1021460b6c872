package event

import (
	"math"
	"time"
)

// Seconds of traffic are nearly all of a log, and package json takes a hundred times as long to read one as its bytes take to
// look at. So what [Writer] wrote is read by hand, in the very order in which it is written. Whatever looks different in the
// least is left to package json, which decides whether it is an event and says what is wrong with it.

// quick reads lines of traffic.
type quick struct {
	b  []byte
	at int
	ok bool
	// names holds the texts that were seen: a log repeats the same few in every second.
	names map[string]string
	// cells and counts are what the events' own slices are cut from.
	cells  []Cell
	counts []BucketCount
}

const (
	mostNames  = 1 << 14 // more are not remembered
	cellBlock  = 256
	countBlock = 4096
)

// read reads a line of traffic; not ok when package json must.
func (q *quick) read(line []byte) (e Event, ok bool) {
	q.b, q.at, q.ok = line, 0, true
	q.word(`{"seq":`)
	e.Seq = q.number()
	q.word(`,"at":`)
	e.At = q.seconds()
	q.word(`,"kind":"traffic","data":{"from":`)
	if !q.ok {
		return e, false
	}
	var t Traffic
	t.From = Seconds(q.seconds())
	q.word(`,"to":`)
	t.To = Seconds(q.seconds())
	q.word(`,"cells":[`)
	t.Cells = q.list()
	if q.is(`,"hurt_so_far":`) {
		t.HurtSoFar = q.positive()
	}
	q.word("}}")
	if !q.ok || q.at != len(q.b) {
		return e, false
	}
	e.Fact = t
	return e, true
}

// word skips a text that must come next.
func (q *quick) word(s string) {
	if !q.is(s) {
		q.ok = false
	}
}

// is skips a text if it comes next.
func (q *quick) is(s string) bool {
	if len(q.b)-q.at < len(s) || string(q.b[q.at:q.at+len(s)]) != s {
		return false
	}
	q.at += len(s)
	return true
}

// number reads an integer as the writer writes it: no sign, no leading zero.
func (q *quick) number() int {
	begin, n := q.at, 0
	for ; q.at < len(q.b) && q.b[q.at]-'0' <= 9; q.at++ {
		if n > math.MaxInt32 {
			q.ok = false
			return 0
		}
		n = n*10 + int(q.b[q.at]-'0')
	}
	if digits := q.at - begin; digits == 0 || digits > 1 && q.b[begin] == '0' {
		q.ok = false
	}
	return n
}

// positive reads a number that the writer leaves out when it is 0.
func (q *quick) positive() int {
	n := q.number()
	if n == 0 {
		q.ok = false
	}
	return n
}

// seconds reads decimal seconds with at most six decimals, the last of which is not 0.
func (q *quick) seconds() time.Duration {
	d := time.Duration(q.number()) * time.Second
	if !q.is(".") {
		return d
	}
	begin, unit := q.at, 100*time.Millisecond
	for ; q.at < len(q.b) && q.b[q.at]-'0' <= 9; q.at++ {
		d += time.Duration(q.b[q.at]-'0') * unit
		unit /= 10
	}
	if digits := q.at - begin; digits == 0 || digits > 6 || q.b[q.at-1] == '0' {
		q.ok = false
	}
	return d
}

// text reads a string of plain ASCII.
func (q *quick) text() string {
	q.word(`"`)
	begin := q.at
	for ; q.at < len(q.b); q.at++ {
		switch c := q.b[q.at]; {
		case c == '"':
			s := q.name(q.b[begin:q.at])
			q.at++
			return s
		case c < ' ' || c >= 0x7f || c == '\\':
			q.ok = false
			return ""
		}
	}
	q.ok = false
	return ""
}

func (q *quick) name(b []byte) string {
	if s, ok := q.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if q.names == nil {
		q.names = map[string]string{}
	}
	if len(q.names) < mostNames {
		q.names[s] = s
	}
	return s
}

// list reads the cells up to the end of their list.
func (q *quick) list() []Cell {
	if q.is("]") {
		return []Cell{}
	}
	begin := len(q.cells)
	for q.ok {
		if len(q.cells) == cap(q.cells) { // move on to a new block with what this list has so far
			q.cells = append(make([]Cell, 0, max(cellBlock, 2*(len(q.cells)-begin))), q.cells[begin:]...)
			begin = 0
		}
		q.cells = append(q.cells, Cell{})
		q.cell(&q.cells[len(q.cells)-1])
		if q.is("]") {
			break
		}
		q.word(",")
	}
	return q.cells[begin:len(q.cells):len(q.cells)]
}

func (q *quick) cell(c *Cell) {
	q.word(`{"cohort":`)
	c.Cohort = q.text()
	q.word(`,"route":`)
	c.Route = q.text()
	if q.is(`,"workload":`) {
		c.Workload = q.text()
	}
	if q.is(`,"version":`) {
		c.Version = q.text()
	}
	q.word(`,"n":`)
	c.N = q.number()
	for _, p := range [...]struct {
		key string
		n   *int
	}{
		{`,"retried":`, &c.Retried}, {`,"errors":`, &c.Errors}, {`,"denied":`, &c.Denied}, {`,"limited":`, &c.Limited},
		{`,"slow":`, &c.Slow}, {`,"wrong":`, &c.Wrong}, {`,"bad":`, &c.Bad}, {`,"hit":`, &c.Hit}, {`,"harm":`, &c.Harm},
	} {
		if q.ok && q.is(p.key) {
			*p.n = q.positive()
		}
	}
	if q.is(`,"lat":[`) {
		c.Latency = q.latency()
	}
	q.word("}")
}

func (q *quick) latency() []BucketCount {
	begin := len(q.counts)
	for q.ok {
		if len(q.counts) == cap(q.counts) {
			q.counts = append(make([]BucketCount, 0, max(countBlock, 2*(len(q.counts)-begin))), q.counts[begin:]...)
			begin = 0
		}
		q.word("[")
		bucket := q.number()
		q.word(",")
		count := q.number()
		q.word("]")
		if bucket >= latencyBuckets {
			q.ok = false
		}
		q.counts = append(q.counts, BucketCount{bucket, count})
		if q.is("]") {
			break
		}
		q.word(",")
	}
	return q.counts[begin:len(q.counts):len(q.counts)]
}
