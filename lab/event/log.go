package event

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Recorder puts facts in their order, numbers them, and hands them on.
//
// Facts of one instant come from several goroutines, whose order is the scheduler's. So they wait until the clock has moved
// on, and are then sorted by source; facts of one source keep the order in which they were noted. The log is therefore the
// same for the same facts on any machine, as long as each source notes from one goroutine at a time.
type Recorder struct {
	mu      sync.Mutex
	seq     int
	last    time.Duration // of the newest fact
	pending []pendingFact
	to      []func(Event)
}

type pendingFact struct {
	at     time.Duration
	source string
	fact   Fact
}

// NewRecorder returns a recorder that hands each event, in order, to all of the functions.
func NewRecorder(to ...func(Event)) *Recorder { return &Recorder{to: to} }

// Record records a fact of a source at a time since the run's start. Times must not go backwards: a fact that comes late is
// recorded at the time of the newest one.
func (r *Recorder) Record(at time.Duration, source string, f Fact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at = at.Round(time.Microsecond)
	if at > r.last {
		r.flush()
		r.last = at
	}
	at = r.last
	r.pending = append(r.pending, pendingFact{at, source, f})
}

// Flush hands on what waits. Call it at the end, or where nothing more can happen at the current instant.
func (r *Recorder) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
}

func (r *Recorder) flush() {
	slices.SortStableFunc(r.pending, func(a, b pendingFact) int { return cmp.Compare(a.source, b.source) })
	for _, n := range r.pending {
		r.seq++
		e := Event{Seq: r.seq, At: n.at, Fact: n.fact}
		for _, f := range r.to {
			f(e)
		}
	}
	r.pending = r.pending[:0]
}

// Writer writes events as JSON lines. It holds some back, but none for longer than to the first event after a second: of a process that is
// killed, the log lacks little.
type Writer struct {
	w       *bufio.Writer
	buf     []byte
	err     error
	flushed time.Time
}

// flushInterval is how long written events may wait for others.
const flushInterval = time.Second

// NewWriter returns a writer of JSON lines to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: bufio.NewWriterSize(w, 64<<10)} }

// Write appends an event; the first error is kept and returned by [Writer.Close].
func (w *Writer) Write(e Event) {
	if w.err != nil {
		return
	}
	b, err := e.append(w.buf[:0])
	if err == nil {
		w.buf = append(b, '\n')
		_, err = w.w.Write(w.buf)
	}
	if now := time.Now(); err == nil && now.Sub(w.flushed) >= flushInterval {
		w.flushed, err = now, w.w.Flush()
	}
	w.err = err
}

// Close flushes and returns the first error of all writes.
func (w *Writer) Close() error {
	if err := w.w.Flush(); w.err == nil {
		w.err = err
	}
	return w.err
}

// maxLine bounds one line of a log; a second of traffic over a thousand cells is far below it.
const maxLine = 8 << 20

// Read reads a log. It returns the whole events before the first broken line, and an error that names this line.
func Read(r io.Reader) ([]Event, error) {
	var events []Event
	err := Scan(r, func(e Event) { events = append(events, e) })
	return events, err
}

// Scan reads a log and hands on each event as it comes, up to the first broken line, which its error names.
func Scan(r io.Reader, each func(Event)) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	var last Event
	var q trafficReader
	line := 1
	for ; s.Scan(); line++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		e, err := readEvent(&q, s.Bytes(), last)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		each(e)
		last = e
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("line %d: %w", line, err)
	}
	return nil
}

// readEvent reads the event that follows another one, or the first one after the zero Event.
func readEvent(q *trafficReader, line []byte, before Event) (Event, error) {
	e, ok := q.read(line)
	if !ok {
		e = Event{}
		if err := json.Unmarshal(line, &e); err != nil {
			return e, fmt.Errorf("not an event: %w", err)
		}
	}
	if e.Seq != before.Seq+1 {
		return e, fmt.Errorf("sequence number %d where %d was due: lines are missing or were moved", e.Seq, before.Seq+1)
	}
	if e.At < before.At {
		return e, fmt.Errorf("event %d happened before event %d", e.Seq, before.Seq)
	}
	start, ok := e.Fact.(RunStarted)
	switch {
	case e.Seq == 1 && !ok:
		return e, fmt.Errorf("a log begins with %s, not %s", KindRunStarted, e.Fact.Kind())
	case e.Seq == 1 && start.Format > Format:
		return e, fmt.Errorf("the log has format %d, this coalmine reads up to %d: use a newer one", start.Format, Format)
	}
	return e, nil
}
