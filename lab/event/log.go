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

// Recorder orders facts, numbers them, and passes them on as events.
//
// Facts of one instant come from several goroutines in an order that depends on the scheduler. So
// they are held until a fact with a later time is recorded, and then sorted by source; facts of one
// source keep their order. The log is therefore the same on any machine, as long as each source
// records facts from one goroutine at a time.
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

// NewRecorder returns a recorder that passes each event, in order, to all of the functions.
func NewRecorder(to ...func(Event)) *Recorder { return &Recorder{to: to} }

// Record records a fact of a source at a time since the run's start. A fact whose time is before
// that of the newest fact gets the time of the newest.
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

// Flush passes on pending facts. It is called at the end, or when no more facts of the current
// instant can follow.
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

// Writer writes events as JSON lines. It buffers them, but flushes with the first event that is
// written a second or more after the last flush, so that little is lost if the process is killed.
type Writer struct {
	w       *bufio.Writer
	buf     []byte
	err     error
	flushed time.Time
}

// flushInterval is the minimum time between flushes.
const flushInterval = time.Second

// NewWriter returns a writer of JSON lines to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: bufio.NewWriterSize(w, 64<<10)} }

// Write writes an event. The first error is kept and returned by [Writer.Close].
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

// Close flushes the buffer. It returns the first error of all writes.
func (w *Writer) Close() error {
	if err := w.w.Flush(); w.err == nil {
		w.err = err
	}
	return w.err
}

// maxLine limits the length of a line; a second of traffic with a thousand cells is far below it.
const maxLine = 8 << 20

// Scan reads a log and calls each for every event up to the first malformed line, whose number is
// in the error.
func Scan(r io.Reader, each func(Event)) error {
	return scan(r, func([]byte, Fact) error { return nil }, each)
}

// scan is Scan with a check of each line, before it is decoded and, with its fact, after.
func scan(r io.Reader, check func(line []byte, f Fact) error, each func(Event)) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	var last Event
	var q trafficReader
	line := 1
	for ; s.Scan(); line++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		if err := check(s.Bytes(), nil); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		e, err := readEvent(&q, s.Bytes(), last)
		if err == nil {
			err = check(s.Bytes(), e.Fact)
		}
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

// readEvent reads the event that follows last; the first event follows the zero Event.
func readEvent(q *trafficReader, line []byte, last Event) (Event, error) {
	e, ok := q.read(line)
	if !ok {
		e = Event{}
		if err := json.Unmarshal(line, &e); err != nil {
			return e, fmt.Errorf("not an event: %w", err)
		}
	}
	if e.Seq != last.Seq+1 {
		return e, fmt.Errorf("sequence number is %d, want %d: lines are missing or were moved", e.Seq, last.Seq+1)
	}
	if e.At < last.At {
		return e, fmt.Errorf("event %d has an earlier time than event %d", e.Seq, last.Seq)
	}
	start, ok := e.Fact.(RunStarted)
	switch {
	case e.Seq == 1 && !ok:
		return e, fmt.Errorf("a log must start with %s, not %s", KindRunStarted, e.Fact.Kind())
	case e.Seq == 1 && start.Format > Format:
		return e, fmt.Errorf("the log has format %d, this coalmine reads up to %d: use a newer one",
			start.Format, Format)
	}
	return e, nil
}
