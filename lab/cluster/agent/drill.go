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
	// pending are the traffic pods that have not reported yet.
	pending map[string]bool
	probeCounts
	done chan struct{}
}

// probeCounts is what came of a round of probes.
type probeCounts struct {
	sent, unserved int
	// reached counts probes by the workload that they reached, denied says why others reached none.
	reached map[string]int
	denied  string
	// complete is set if all traffic pods have reported.
	complete bool
}

// runProbes has the traffic pods send probes: the first pod of each client, or each pod.
func (t *traffic) runProbes(ctx context.Context, service string, paths []client.CallPath, each bool) probeCounts {
	t.mu.Lock()
	id := 1
	if t.drill != nil {
		id = t.drill.id + 1
	}
	p := &probeRound{id: id, pending: map[string]bool{}, done: make(chan struct{})}
	p.reached = map[string]int{}
	for _, w := range paths {
		for _, pod := range t.pods {
			if pod.Client == w.Client && (each || pod.Index == 1) {
				p.pending[pod.String()] = true
				p.sent += w.Probes
			}
		}
	}
	t.drill = p
	t.change(func(o *client.Commands) {
		o.Drill = &client.Drill{ID: id, Service: service, Paths: paths, Each: each}
	})
	t.mu.Unlock()
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := p.probeCounts
	counts.reached, counts.complete = maps.Clone(p.reached), len(p.pending) == 0
	if !counts.complete && counts.denied == "" {
		counts.denied = "traffic pod " + slices.Sorted(maps.Keys(p.pending))[0] + " sent no probes in time"
	}
	return counts
}

// takeDrillResult adds the result of a traffic pod's probes. Late and repeated results are ignored.
func (t *traffic) takeDrillResult(result client.DrillResult) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	pod, err := t.find(result.TrafficPod)
	if err != nil {
		return err
	}
	p := t.drill
	if p == nil || p.id != result.ID || !p.pending[pod.String()] {
		return nil
	}
	for workload, n := range result.Reached {
		p.reached[workload] += n
	}
	p.unserved += result.Unserved
	if p.denied == "" {
		p.denied = result.Denied
	}
	if delete(p.pending, pod.String()); len(p.pending) == 0 {
		close(p.done)
	}
	return nil
}
