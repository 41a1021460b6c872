package desk

import (
	"context"
	"maps"
	"slices"

	"coalmine/lab/desk/client"
)

// probing is a round of probes that shards send.
type probing struct {
	id int
	// open are the clients whose shards have not told yet.
	open    map[string]bool
	reached map[string]int
	denied  string
	done    chan struct{}
}

// probe lets shards send probes and returns how many reached each workload, and why others reached none.
func (t *traffic) probe(ctx context.Context, service string, ways []client.Way) (map[string]int, string) {
	t.mu.Lock()
	id := 1
	if t.drill != nil {
		id = t.drill.id + 1
	}
	p := &probing{id: id, open: map[string]bool{}, reached: map[string]int{}, done: make(chan struct{})}
	for _, w := range ways {
		p.open[w.Client] = true
	}
	t.drill = p
	t.order(func(o *client.Orders) { o.Drill = &client.Drill{ID: id, Service: service, Ways: ways} })
	t.mu.Unlock()
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p.open) > 0 && p.denied == "" {
		p.denied = "traffic pods of " + slices.Sorted(maps.Keys(p.open))[0] + " sent no probes in time"
	}
	return maps.Clone(p.reached), p.denied
}

// drilled takes what a shard tells of its probes. What comes late, or again, is left out.
func (t *traffic) drilled(r client.Drilled) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.find(r.Shard); err != nil {
		return err
	}
	p := t.drill
	if p == nil || p.id != r.ID || !p.open[r.Client] {
		return nil
	}
	for workload, n := range r.Reached {
		p.reached[workload] += n
	}
	if p.denied == "" {
		p.denied = r.Denied
	}
	if delete(p.open, r.Client); len(p.open) == 0 {
		close(p.done)
	}
	return nil
}
