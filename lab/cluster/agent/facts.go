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

// facts keeps all that the desk saw, as lines of JSON, for readers that come and go.
type facts struct {
	mu    sync.Mutex
	lines [][]byte
	// more is closed when there are more lines.
	more chan struct{}
}

func newFacts() *facts { return &facts{more: make(chan struct{})} }

// append keeps a fact. One that cannot be written is a defect of the desk's own.
func (f *facts) append(at time.Time, fact event.Fact) error {
	data, err := event.EncodeFact(fact)
	if err != nil {
		return fmt.Errorf("note %s: %w", fact.Kind(), err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	line, err := json.Marshal(client.Fact{N: len(f.lines) + 1, At: at.UnixNano(), Kind: fact.Kind(), Data: data})
	if err != nil {
		return fmt.Errorf("note %s: %w", fact.Kind(), err)
	}
	f.lines = append(f.lines, append(line, '\n'))
	close(f.more)
	f.more = make(chan struct{})
	return nil
}

// after returns the lines behind a number of them, and what is closed when there are more.
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

// How a stream is kept open: an empty line goes out when there is nothing to tell, and a reader that does not take what is sent is
// left.
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
		http.Error(w, fmt.Sprintf("after is the number of a fact, from 0 to %d", f.len()), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	quiet := time.NewTicker(keepAlive)
	defer quiet.Stop()
	for {
		lines, more := f.after(after)
		after += len(lines)
		if writeLines(w, lines) != nil {
			return
		}
		select {
		case <-more:
		case <-quiet.C:
			if writeLines(w, [][]byte{[]byte("\n")}) != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// writeLines writes lines and lets them go.
func writeLines(w http.ResponseWriter, lines [][]byte) error {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(writeTimeout)) // where there are no deadlines, nothing is slow
	for _, line := range lines {
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return control.Flush()
}
