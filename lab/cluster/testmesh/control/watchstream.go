package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"coalmine/lab/cluster/testmesh/wire"
)

// pollTime is how long a request waits for a newer snapshot: see [wire.PathConfig].
const pollTime = 30 * time.Second

// watchStream has the newest snapshot and wakes the requests that wait for it. It is encoded once
// for all of them.
type watchStream struct {
	mu         sync.Mutex
	generation uint64
	// content is the snapshot without a generation, body the one that is sent.
	content, body []byte
	// newer is closed when the next snapshot is there.
	newer chan struct{}
	// ended is closed when there will be no more.
	ended chan struct{}
}

// newWatchStream starts at a generation that is the time in milliseconds. It is higher than any of
// the process before, as there are fewer than a thousand changes per second.
func newWatchStream(start time.Time) *watchStream {
	return &watchStream{generation: uint64(start.UnixMilli()), newer: make(chan struct{}), ended: make(chan struct{})}
}

// publish makes s the newest snapshot, unless it is equal to the one before. It returns its
// generation, and whether it is new.
func (f *watchStream) publish(s wire.Snapshot) (uint64, bool, error) {
	s.Generation = 0
	content, err := json.Marshal(s)
	if err != nil {
		return 0, false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if bytes.Equal(content, f.content) {
		return f.generation, false, nil
	}
	s.Generation = f.generation + 1
	body, err := json.Marshal(s)
	if err != nil {
		return 0, false, err
	}
	f.generation, f.content, f.body = s.Generation, content, body
	close(f.newer)
	f.newer = make(chan struct{})
	return f.generation, true, nil
}

// next waits for a snapshot other than that of a generation. It returns nil if there is none in
// time.
func (f *watchStream) next(ctx context.Context, after uint64, patience time.Duration) []byte {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		f.mu.Lock()
		generation, body, newer := f.generation, f.body, f.newer
		f.mu.Unlock()
		// If the clock went back between two starts, a caller's generation may be higher than the
		// current one; it gets the current one.
		if body != nil && generation != after {
			return body
		}
		select {
		case <-newer:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return nil
		case <-f.ended:
			return nil
		}
	}
}

// end ends all waiting requests, so that the server can stop.
func (f *watchStream) end() { close(f.ended) }

// configHandler answers [wire.PathConfig].
type configHandler struct {
	stream   *watchStream
	reviewer *reviewer
	metrics  *metrics
	log      *slog.Logger
}

func (c *configHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := c.reviewer.reviewCached(r.Context(), bearer(r)); err != nil {
		status := http.StatusServiceUnavailable
		if errors.Is(err, errUnauthenticated) {
			status = http.StatusUnauthorized
		}
		c.log.Warn("snapshot refused", "from", r.RemoteAddr, "status", status, "error", err)
		http.Error(w, err.Error(), status)
		return
	}
	var after uint64
	patience := time.Duration(0)
	if text := r.URL.Query().Get("after"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			http.Error(w, "after is not a generation: write the number of the last snapshot", http.StatusBadRequest)
			return
		}
		after, patience = n, pollTime
	}
	c.metrics.waiting.Inc()
	body := c.stream.next(r.Context(), after, patience)
	c.metrics.waiting.Dec()
	switch {
	case body == nil && patience == 0:
		http.Error(w, "there is no snapshot yet; try again", http.StatusServiceUnavailable)
		return
	case body == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // a proxy that is gone asks again
}
