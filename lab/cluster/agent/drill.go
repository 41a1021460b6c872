package agent

import (
	"context"
	"maps"
	"slices"

	"coalmine/lab/cluster/agent/client"
)

// probeRound is one round of probes of a rollback drill.
type probeRound struct {
	id int
	// pending are the clients whose traffic pods have not reported yet.
	pending map[string]bool
	reached map[string]int
	denied  string
	done    chan struct{}
}

// runProbes has the traffic pods send probes. It returns how many reached each workload, and why
// the others reached none.
func (t *traffic) runProbes(ctx context.Context, service string, paths []client.CallPath) (map[string]int, string) {
	t.mu.Lock()
	id := 1
	if t.drill != nil {
		id = t.drill.id + 1
	}
	p := &probeRound{id: id, pending: map[string]bool{}, reached: map[string]int{}, done: make(chan struct{})}
	for _, w := range paths {
		p.pending[w.Client] = true
	}
	t.drill = p
	t.change(func(o *client.Commands) { o.Drill = &client.Drill{ID: id, Service: service, Paths: paths} })
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

// takeDrillResult adds the result of a traffic pod's probes. Late and repeated results are ignored.
func (t *traffic) takeDrillResult(result client.DrillResult) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.find(result.TrafficPod); err != nil {
		return err
	}
	p := t.drill
	if p == nil || p.id != result.ID || !p.pending[result.Client] {
		return nil
	}
	for workload, n := range result.Reached {
		p.reached[workload] += n
	}
	if p.denied == "" {
		p.denied = result.Denied
	}
	if delete(p.pending, result.Client); len(p.pending) == 0 {
		close(p.done)
	}
	return nil
}
