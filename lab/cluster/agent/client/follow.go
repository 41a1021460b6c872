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

	"coalmine/lab/cluster/backoff"
)

// Limits of a reader of facts.
const (
	// silenceTimeout is how long a stream may be without a line. The agent sends an empty one every
	// few seconds.
	silenceTimeout = 20 * time.Second
	// unreachableTimeout is how long the agent may be unreachable altogether. The API server, which
	// proxies the stream, may restart meanwhile.
	unreachableTimeout = 90 * time.Second
	// minBackoff and maxBackoff bound the pause between two attempts.
	minBackoff = 100 * time.Millisecond
	maxBackoff = 2 * time.Second
	// maxLine bounds a fact, in bytes. A second of traffic with a thousand cells is far below it.
	maxLine = 8 << 20
)

// Follow calls each with every fact of an agent once, in order, from the first. Open opens the
// stream after a fact, like [Agent.Facts]; its reader must end when its context does. If a stream
// breaks off, at any byte, it is opened again.
//
// Follow ends when each returns an error, which it returns, but nil for io.EOF; when the context
// ends, with its cause; and when the agent is unreachable for a minute and a half, was restarted,
// or sends something that is not a fact. Errors of open are retried.
func Follow(ctx context.Context, open func(ctx context.Context, after int) (io.ReadCloser, error),
	each func(Fact) error) error {
	f := follower{open: open, each: each, lastHeard: time.Now(),
		pause: backoff.Backoff{Min: minBackoff, Max: maxBackoff}}
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
			return fmt.Errorf("the agent has been unreachable for over %v: %w", unreachableTimeout, err)
		}
		if f.pause.Wait(ctx) != nil {
			return context.Cause(ctx)
		}
	}
}

// permanentError ends Follow.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

type follower struct {
	open func(ctx context.Context, after int) (io.ReadCloser, error)
	each func(Fact) error
	// last is the number of the last fact, lastHeard when the last line arrived.
	last      int
	lastHeard time.Time
	pause     backoff.Backoff
}

var errSilent = errors.New("the stream of facts fell silent")

// stream reads one stream to its end, which is always an error.
func (f *follower) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(silenceTimeout, func() { cancel(errSilent) })
	defer silence.Stop()
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
		silence.Reset(silenceTimeout)
		f.lastHeard = time.Now()
		f.pause.Reset()
		if err := f.line(lines.Bytes()); err != nil {
			return err
		}
	}
	if lines.Err() != nil {
		return lines.Err()
	}
	return io.ErrUnexpectedEOF // an agent does not end its stream
}

// scanCompleteLines is a bufio.SplitFunc that drops an incomplete last line, which was cut off.
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
		return &permanentError{fmt.Errorf("the agent sent an invalid fact after fact %d: %w", f.last, err)}
	}
	switch {
	case fact.N <= f.last:
		return nil // a repeated fact
	case fact.N != f.last+1:
		return &permanentError{fmt.Errorf("the agent sent fact %d instead of fact %d", fact.N, f.last+1)}
	}
	f.last = fact.N
	if err := f.each(fact); err != nil {
		return &permanentError{err}
	}
	return nil
}
