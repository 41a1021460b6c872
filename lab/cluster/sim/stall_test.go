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

// A story that waits for the outside stops virtual time. It must be given up, and what it does when it comes free at last must
// not get into the log of a run that was closed long ago.
func TestStuckStoryIsGivenUp(t *testing.T) {
	outside, ended := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	noted := 0
	rec := event.NewRecorder(func(event.Event) { mu.Lock(); noted++; mu.Unlock() })
	var late error
	story := func(ctx context.Context, w cluster.World) error {
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
	err := sim.Cluster{StallTimeout: 300 * time.Millisecond}.Session(context.Background(), flight(t, "full-rollout", "", "v2", 1), rec, story)
	if !errors.Is(err, sim.ErrStalled) {
		t.Errorf("error %v, want ErrStuck", err)
	}
	rec.Flush()
	mu.Lock()
	before := noted
	mu.Unlock()
	close(outside)
	<-ended
	rec.Flush()
	if mu.Lock(); noted != before {
		t.Errorf("%d facts came after the run was given up", noted-before)
	}
	mu.Unlock()
	if !errors.Is(late, sim.ErrStalled) {
		t.Errorf("the story went on with %v, want ErrStuck", late)
	}
}
