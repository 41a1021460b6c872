package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrTooLarge means that logs hold more than their reader allows.
var ErrTooLarge = errors.New("the logs hold more than any trial")

// Budget bounds the memory that events of untrusted logs take. A log that is small on disk can be
// large in memory: a cell can be written in 3 bytes.
type Budget struct{ left int64 }

// NewBudget returns a budget of some bytes, for any number of logs. The estimate of what events
// take is right to a factor of two.
func NewBudget(size int64) *Budget { return &Budget{left: size} }

// Estimated memory in bytes.
const (
	eventCost  = 200
	cellCost   = 250
	bucketCost = 16
	// keyCost is for each combination of cohort, route, workload and version. It is more than what
	// readers keep of it, since their time grows with the number of combinations.
	keyCost = 5000
	// itemCost is for an item of a list or map, which a comma separates from the next.
	itemCost = 100
)

// Limits of one line. A second of traffic has some hundred cells.
const (
	maxCells = 20_000
	// maxFactLine is the length of a line without traffic.
	maxFactLine = 256 << 10
	// maxKeys is the number of combinations of cohort, route, workload and version in one log.
	maxKeys = 1000
)

// Read reads a log. If a line is malformed, it returns the events before it and an error with its
// number. If the budget ends, it returns [ErrTooLarge] and no events.
func (b *Budget) Read(r io.Reader) ([]Event, error) {
	var events []Event
	m := meter{budget: b, keys: map[cellKey]bool{}}
	err := scan(r, m.line, func(e Event) { events = append(events, e) })
	if errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	return events, err
}

// cellKey is what readers count cells by.
type cellKey struct{ cohort, route, workload, version string }

// meter spends a budget on one log.
type meter struct {
	budget *Budget
	keys   map[cellKey]bool
}

// line returns an error if a line is too large to be decoded, or its event to be kept. It is called
// before the line is decoded, with a nil Fact, and after.
func (m *meter) line(line []byte, f Fact) error {
	if f == nil {
		if n := bytes.Count(line, []byte("{")); n > maxCells {
			return fmt.Errorf("%w: a line with %d objects", ErrTooLarge, n)
		}
		return nil
	}
	cost := int64(eventCost)
	if t, ok := f.(Traffic); ok {
		cost += m.cells(t)
		if len(m.keys) > maxKeys {
			return fmt.Errorf("%w: more than %d combinations of cohort, route and version", ErrTooLarge, maxKeys)
		}
	} else {
		if len(line) > maxFactLine {
			return fmt.Errorf("%w: a fact of %d bytes", ErrTooLarge, len(line))
		}
		cost += int64(len(line)) + itemCost*int64(bytes.Count(line, []byte(",")))
	}
	if m.budget.left -= cost; m.budget.left < 0 {
		return ErrTooLarge
	}
	return nil
}

func (m *meter) cells(t Traffic) int64 {
	cost := int64(0)
	for _, c := range t.Cells {
		cost += cellCost + bucketCost*int64(len(c.Latency))
		key := cellKey{c.Cohort, c.Route, c.Workload, c.Version}
		if len(m.keys) <= maxKeys && !m.keys[key] {
			m.keys[key] = true
			cost += keyCost + int64(len(c.Cohort)+len(c.Route)+len(c.Workload)+len(c.Version))
		}
	}
	return cost
}
