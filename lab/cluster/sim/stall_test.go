package sim_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/event"
)

// A runner that waits for the outside stalls virtual time. The session must be given up, and what
// the runner does later must not be recorded.
func TestStalledRunnerIsGivenUp(t *testing.T) {
	outside, ended := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	recorded := 0
	rec := event.NewRecorder(func(event.Event) { mu.Lock(); recorded++; mu.Unlock() })
	var late error
	runner := func(ctx context.Context, w cluster.World) error {
		defer close(ended)
		if _, err := w.Wait(ctx, 30*time.Second, nil); err != nil {
			return err
		}
		<-outside
		if err := w.StartTraffic(ctx); err != nil {
			return err
		}
		_, late = w.Wait(ctx, time.Hour, nil)
		return late
	}
	err := sim.Cluster{StallTimeout: 300 * time.Millisecond}.Session(context.Background(),
		runSpec(t, "full-rollout", "", "v2", 1), rec, runner)
	if !errors.Is(err, sim.ErrStalled) {
		t.Errorf("error %v, want ErrStalled", err)
	}
	rec.Flush()
	mu.Lock()
	before := recorded
	mu.Unlock()
	close(outside)
	<-ended
	rec.Flush()
	if mu.Lock(); recorded != before {
		t.Errorf("%d facts came after the run was given up", recorded-before)
	}
	mu.Unlock()
	if !errors.Is(late, sim.ErrStalled) {
		t.Errorf("the runner continued with %v, want ErrStalled", late)
	}
}
