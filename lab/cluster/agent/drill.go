package agent

import (
	"context"
	"maps"
	"slices"

	"coalmine/lab/cluster/agent/client"
)

// probeRound is a round of probes that shards send.
type probeRound struct {
	id int
	// pending are the clients whose shards have not told yet.
	pending map[string]bool
	reached map[string]int
	denied  string
	done    chan struct{}
}

// runProbes lets shards send probes and returns how many reached each workload, and why others reached none.
func (t *traffic) runProbes(ctx context.Context, service string, ways []client.CallPath) (map[string]int, string) {
	t.mu.Lock()
	id := 1
	if t.drill != nil {
		id = t.drill.id + 1
	}
	p := &probeRound{id: id, pending: map[string]bool{}, reached: map[string]int{}, done: make(chan struct{})}
	for _, w := range ways {
		p.pending[w.Client] = true
	}
	t.drill = p
	t.change(func(o *client.Commands) { o.Drill = &client.Drill{ID: id, Service: service, Paths: ways} })
	t.mu.Unlock()
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p.pending) > 0 && p.denied == "" {
		p.denied = "traffic pods of " + slices.Sorted(maps.Keys(p.pending))[0] + " sent no probes in time"
	}
	return maps.Clone(p.reached), p.denied
}

// takeDrillResult takes what a shard tells of its probes. What comes late, or again, is left out.
func (t *traffic) takeDrillResult(r client.DrillResult) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.find(r.TrafficPod); err != nil {
		return err
	}
	p := t.drill
	if p == nil || p.id != r.ID || !p.pending[r.Client] {
		return nil
	}
	for workload, n := range r.Reached {
		p.reached[workload] += n
	}
	if p.denied == "" {
		p.denied = r.Denied
	}
	if delete(p.pending, r.Client); len(p.pending) == 0 {
		close(p.done)
	}
	return nil
}
