package agent

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/event"
)

// facts keeps everything that the agent observed, as lines of JSON for any number of readers.
type facts struct {
	mu    sync.Mutex
	lines [][]byte
	// more is closed when there are more lines.
	more chan struct{}
}

func newFacts() *facts { return &facts{more: make(chan struct{})} }

// append adds a fact. An error is a bug in the agent.
func (f *facts) append(at time.Time, fact event.Fact) error {
	data, err := event.EncodeFact(fact)
	if err != nil {
		return fmt.Errorf("record %s: %w", fact.Kind(), err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	line, err := json.Marshal(client.Fact{N: len(f.lines) + 1, At: at.UnixNano(), Kind: fact.Kind(), Data: data})
	if err != nil {
		return fmt.Errorf("record %s: %w", fact.Kind(), err)
	}
	f.lines = append(f.lines, append(line, '\n'))
	close(f.more)
	f.more = make(chan struct{})
	return nil
}

// after returns the lines after the first n, and a channel that is closed when there are more.
func (f *facts) after(n int) ([][]byte, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lines[min(n, len(f.lines)):], f.more
}

func (f *facts) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.lines)
}

// An empty line keeps an idle stream open. A reader that does not read is disconnected.
const (
	keepAlive    = 5 * time.Second
	writeTimeout = 30 * time.Second
)

// ServeHTTP streams the facts.
func (f *facts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.Atoi(r.FormValue("after"))
	if r.FormValue("after") == "" {
		after, err = 0, nil
	}
	if err != nil || after < 0 || after > f.len() {
		http.Error(w, fmt.Sprintf("after is not the number of a fact from 0 to %d", f.len()), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	keepAliveTicker := time.NewTicker(keepAlive)
	defer keepAliveTicker.Stop()
	for {
		lines, more := f.after(after)
		after += len(lines)
		if writeLines(w, lines) != nil {
			return
		}
		select {
		case <-more:
		case <-keepAliveTicker.C:
			if writeLines(w, [][]byte{[]byte("\n")}) != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// writeLines writes and flushes lines.
func writeLines(w http.ResponseWriter, lines [][]byte) error {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(writeTimeout)) // writers without deadlines are those of tests
	for _, line := range lines {
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return control.Flush()
}
