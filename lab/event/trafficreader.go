package event

import (
	"math"
	"time"
)

// Traffic facts make up most of a log, and package json is slow at decoding them. So lines in
// exactly the form that [Writer] writes are decoded by hand; any other line is left to package
// json, which accepts it or reports the error.

// trafficReader decodes lines with a traffic fact.
type trafficReader struct {
	b  []byte
	at int
	ok bool
	// names interns strings: a log repeats the same few in every second.
	names map[string]string
	// cells and counts are blocks from which the events' slices are allocated.
	cells  []Cell
	counts []BucketCount
}

const (
	maxNames   = 1 << 14 // further ones are not interned
	cellBlock  = 256
	countBlock = 4096
)

// read decodes a line. If it is not in the expected form, ok is false.
func (q *trafficReader) read(line []byte) (e Event, ok bool) {
	q.b, q.at, q.ok = line, 0, true
	q.expect(`{"seq":`)
	e.Seq = q.integer()
	q.expect(`,"at":`)
	e.At = q.seconds()
	q.expect(`,"kind":"traffic","data":{"from":`)
	if !q.ok {
		return e, false
	}
	var t Traffic
	t.From = Seconds(q.seconds())
	q.expect(`,"to":`)
	t.To = Seconds(q.seconds())
	q.expect(`,"cells":[`)
	t.Cells = q.cellList()
	if q.accept(`,"hurt_so_far":`) {
		t.HurtSoFar = q.positiveInteger()
	}
	q.expect("}}")
	if !q.ok || q.at != len(q.b) {
		return e, false
	}
	e.Fact = t
	return e, true
}

// expect skips s and fails if it does not come next.
func (q *trafficReader) expect(s string) {
	if !q.accept(s) {
		q.ok = false
	}
}

// accept skips s if it comes next, and reports whether it did.
func (q *trafficReader) accept(s string) bool {
	if len(q.b)-q.at < len(s) || string(q.b[q.at:q.at+len(s)]) != s {
		return false
	}
	q.at += len(s)
	return true
}

// integer reads an integer without sign and leading zeros.
func (q *trafficReader) integer() int {
	start, n := q.at, 0
	for ; q.at < len(q.b) && q.b[q.at]-'0' <= 9; q.at++ {
		if n > math.MaxInt32 {
			q.ok = false
			return 0
		}
		n = n*10 + int(q.b[q.at]-'0')
	}
	if digits := q.at - start; digits == 0 || digits > 1 && q.b[start] == '0' {
		q.ok = false
	}
	return n
}

// positiveInteger reads an integer that the writer omits if it is 0.
func (q *trafficReader) positiveInteger() int {
	n := q.integer()
	if n == 0 {
		q.ok = false
	}
	return n
}

// seconds reads decimal seconds with at most six decimals, the last of which is not 0.
func (q *trafficReader) seconds() time.Duration {
	d := time.Duration(q.integer()) * time.Second
	if !q.accept(".") {
		return d
	}
	start, unit := q.at, 100*time.Millisecond
	for ; q.at < len(q.b) && q.b[q.at]-'0' <= 9; q.at++ {
		d += time.Duration(q.b[q.at]-'0') * unit
		unit /= 10
	}
	if digits := q.at - start; digits == 0 || digits > 6 || q.b[q.at-1] == '0' {
		q.ok = false
	}
	return d
}

// text reads a string of plain ASCII.
func (q *trafficReader) text() string {
	q.expect(`"`)
	start := q.at
	for ; q.at < len(q.b); q.at++ {
		switch c := q.b[q.at]; {
		case c == '"':
			s := q.intern(q.b[start:q.at])
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

func (q *trafficReader) intern(b []byte) string {
	if s, ok := q.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if q.names == nil {
		q.names = map[string]string{}
	}
	if len(q.names) < maxNames {
		q.names[s] = s
	}
	return s
}

// cellList reads cells up to the end of their list.
func (q *trafficReader) cellList() []Cell {
	if q.accept("]") {
		return []Cell{}
	}
	start := len(q.cells)
	for q.ok {
		if len(q.cells) == cap(q.cells) { // continue in a new block, with a copy of this list's cells
			q.cells = append(make([]Cell, 0, max(cellBlock, 2*(len(q.cells)-start))), q.cells[start:]...)
			start = 0
		}
		q.cells = append(q.cells, Cell{})
		q.cell(&q.cells[len(q.cells)-1])
		if q.accept("]") {
			break
		}
		q.expect(",")
	}
	return q.cells[start:len(q.cells):len(q.cells)]
}

func (q *trafficReader) cell(c *Cell) {
	q.expect(`{"cohort":`)
	c.Cohort = q.text()
	q.expect(`,"route":`)
	c.Route = q.text()
	if q.accept(`,"workload":`) {
		c.Workload = q.text()
	}
	if q.accept(`,"version":`) {
		c.Version = q.text()
	}
	q.expect(`,"n":`)
	c.N = q.integer()
	for _, p := range [...]struct {
		key string
		n   *int
	}{
		{`,"retried":`, &c.Retried}, {`,"proxyRetried":`, &c.ProxyRetried}, {`,"errors":`, &c.Errors},
		{`,"denied":`, &c.Denied}, {`,"limited":`, &c.Limited},
		{`,"slow":`, &c.Slow}, {`,"wrong":`, &c.Wrong}, {`,"bad":`, &c.Bad}, {`,"hit":`, &c.Hit}, {`,"harm":`, &c.Harm},
		{`,"mesh":`, &c.ByMesh},
	} {
		if q.ok && q.accept(p.key) {
			*p.n = q.positiveInteger()
		}
	}
	if q.accept(`,"lat":[`) {
		c.Latency = q.latency()
	}
	q.expect("}")
}

func (q *trafficReader) latency() []BucketCount {
	start := len(q.counts)
	for q.ok {
		if len(q.counts) == cap(q.counts) {
			q.counts = append(make([]BucketCount, 0, max(countBlock, 2*(len(q.counts)-start))), q.counts[start:]...)
			start = 0
		}
		q.expect("[")
		bucket := q.integer()
		q.expect(",")
		count := q.integer()
		q.expect("]")
		if bucket >= LatencyBuckets {
			q.ok = false
		}
		q.counts = append(q.counts, BucketCount{bucket, count})
		if q.accept("]") {
			break
		}
		q.expect(",")
	}
	return q.counts[start:len(q.counts):len(q.counts)]
}
