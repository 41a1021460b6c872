package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// How a reader of facts holds on to a desk.
const (
	// silenceTimeout is how long a stream may be without a line: the desk sends an empty one every few seconds.
	silenceTimeout = 20 * time.Second
	// unreachableTimeout is how long the desk may be out of reach altogether. The API server, which stands between, may restart meanwhile.
	unreachableTimeout = 90 * time.Second
	// minBackoff and longestPause bound the time between two attempts; it doubles.
	minBackoff = 100 * time.Millisecond
	maxBackoff = 2 * time.Second
	// maxLine bounds a fact; a second of traffic over a thousand cells is far below it.
	maxLine = 8 << 20
)

// Follow hands on every fact of a desk once, in order, from the first on. Open opens the stream behind a fact, as [Desk.Facts]
// does; its reader must end when its context does. Where the stream breaks off, at whatever byte, it is opened anew.
//
// It ends when each does: with nil for io.EOF, otherwise with its error; when the context does, with its cause; and when the desk
// is out of reach for a minute and a half, was started anew, or tells what is no fact. Open is given time: it is asked again.
func Follow(ctx context.Context, open func(ctx context.Context, after int) (io.ReadCloser, error), each func(Fact) error) error {
	f := follower{open: open, each: each, lastHeard: time.Now(), backoff: minBackoff}
	for {
		err := f.stream(ctx)
		var stop *permanentError
		switch {
		case errors.As(err, &stop) && errors.Is(stop.err, io.EOF):
			return nil
		case errors.As(err, &stop):
			return stop.err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Since(f.lastHeard) > unreachableTimeout:
			return fmt.Errorf("the desk has been out of reach for over %v: %w", unreachableTimeout, err)
		}
		if !sleep(ctx, f.backoff) {
			return context.Cause(ctx)
		}
		f.backoff = min(2*f.backoff, maxBackoff)
	}
}

// permanentError ends the following for good.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

type follower struct {
	open func(ctx context.Context, after int) (io.ReadCloser, error)
	each func(Fact) error
	// last is the number of the fact handed on last, heard when the desk was heard of.
	last      int
	lastHeard time.Time
	backoff   time.Duration
}

var errSilent = errors.New("the stream of facts fell silent")

// stream reads one stream to its end, which is an error in any case.
func (f *follower) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(silenceTimeout, func() { cancel(errSilent) })
	defer watch.Stop()
	body, err := f.open(ctx, f.last)
	switch {
	case errors.Is(err, ErrRestarted):
		return &permanentError{err}
	case err != nil:
		return err
	}
	defer body.Close() // it is read only
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	lines.Split(scanCompleteLines)
	for lines.Scan() {
		watch.Reset(silenceTimeout)
		f.lastHeard, f.backoff = time.Now(), minBackoff
		if err := f.line(lines.Bytes()); err != nil {
			return err
		}
	}
	if lines.Err() != nil {
		return lines.Err()
	}
	return io.ErrUnexpectedEOF // a desk does not end its stream
}

// scanCompleteLines is a bufio.SplitFunc that leaves out a last line without its end: it was cut off.
func scanCompleteLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF {
		return len(data), nil, nil
	}
	return 0, nil, nil
}

func (f *follower) line(line []byte) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	var fact Fact
	if err := json.Unmarshal(line, &fact); err != nil {
		return &permanentError{fmt.Errorf("the desk told what is no fact, behind fact %d: %w", f.last, err)}
	}
	switch {
	case fact.N <= f.last:
		return nil // it was handed on before
	case fact.N != f.last+1:
		return &permanentError{fmt.Errorf("the desk told fact %d where fact %d was due", fact.N, f.last+1)}
	}
	f.last = fact.N
	if err := f.each(fact); err != nil {
		return &permanentError{err}
	}
	return nil
}

// sleep waits; false when the context ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
