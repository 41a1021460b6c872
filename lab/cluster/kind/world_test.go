package kind

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/kubernetes/fake"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
)

// worldOf returns a world on a cluster that is not called, and the events recorded so far.
func worldOf(t *testing.T) (*world, *[]event.Event) {
	t.Helper()
	var events []event.Event
	l := &leases{kube: fake.NewClientset(), now: time.Now()}
	held := l.of("this run")
	held.now = time.Now
	if err := held.acquire(context.Background(), "lab"); err != nil {
		t.Fatal(err)
	}
	w := &world{
		spec: cluster.RunSpec{Scenario: &scenario.Scenario{Release: scenario.Release{Service: "backend"}},
			Guardrails: &guardrail.Set{}},
		lease: held, start: time.Now(), changed: make(chan struct{}, 1), totalsSeen: make(chan struct{}),
		buffer: reorderBuffer{rec: event.NewRecorder(func(e event.Event) { events = append(events, e) })},
	}
	w.observer = newObserver(w.spec, w.note)
	w.health = newHealth(w.spec, w.decided)
	w.health.start()
	return w, &events
}

// Facts are recorded in order during a wait; a condition is checked after each change.
func TestWaitRecordsAndChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, events := worldOf(t)
		time.AfterFunc(2500*time.Millisecond, func() {
			w.canary(canaryObject("Progressing", 5), time.Now())
			w.note(w.start.Add(time.Second), sourceDriver, event.Traffic{}) // late, but in time
			w.wake()
		})
		held, err := w.Wait(t.Context(), time.Hour, func() bool { return w.Phase() == event.PhaseProgressing })
		if !held || err != nil || w.elapsed() != 2500*time.Millisecond {
			t.Errorf("%v, %v after %v", held, err, w.elapsed())
		}
		if len(*events) != 0 {
			t.Errorf("recorded already: %v", *events)
		}
		if w.Now() != 2500*time.Millisecond || len(*events) != 2 || (*events)[0].At != time.Second {
			t.Errorf("recorded %v", *events)
		}
		if held, err := w.Wait(t.Context(), time.Minute, func() bool { return false }); held || err != nil ||
			w.elapsed() != time.Minute {
			t.Errorf("%v, %v after %v", held, err, w.elapsed())
		}
	})
}

// A fault of the lab ends a wait as soon as it is known, before any condition; the first cause is
// reported, not its consequences.
func TestWaitReportsFaults(t *testing.T) {
	for name, c := range map[string]struct {
		happen func(*world)
		want   string
	}{
		"the agent restarts": {func(w *world) { w.agentFailed(client.ErrRestarted) },
			"the traffic counts are incomplete: " + client.ErrRestarted.Error()},
		"a pod fails": {func(w *world) {
			p := podOf(roleTraffic)
			failed(p)
			w.health.pod(p, time.Now())
			w.agentFailed(errors.New("shard 1/1 of client edge fell silent"))
		}, "a traffic pod failed"},
		"Prometheus goes": {func(w *world) {
			w.health.podGone(podOf(rolePrometheus), time.Now())
			w.wake()
		}, "Prometheus failed"},
		"the API server is unreachable": {func(w *world) {
			w.lease.mu.Lock()
			defer w.lease.mu.Unlock()
			w.lease.lastRenewed, w.lease.lastErr = time.Now().Add(-2*unreachableAfter), errors.New("connection refused")
		}, "the API server has been unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := worldOf(t)
				time.AfterFunc(5*time.Second, func() { c.happen(w) })
				_, err := w.Wait(t.Context(), time.Hour, func() bool { return w.elapsed() > time.Minute })
				if err == nil || !strings.Contains(err.Error(), c.want) || w.elapsed() > 5*time.Second+recheckInterval {
					t.Errorf("%v after %v", err, w.elapsed())
				}
			})
		})
	}
}

// After the canary is promoted or rolled back, and in unguarded runs, Prometheus is not needed any
// more.
func TestDecided(t *testing.T) {
	w, _ := worldOf(t)
	for phase, want := range map[string]bool{"": false, event.PhaseProgressing: false, event.PhaseFailed: true,
		event.PhaseSucceeded: true} {
		w.canary(canaryObject(phase, 0), time.Now())
		if w.decided() != want {
			t.Errorf("phase %q: decided %v", phase, !want)
		}
	}
	w.canary(canaryObject(event.PhaseInitialized, 0), time.Now())
	if w.spec.Guardrails = nil; !w.decided() {
		t.Error("an unguarded run waits for a decision")
	}
}

// A rollout without a decision is neither a success nor a failure if the API server was away.
func TestUndecided(t *testing.T) {
	w, _ := worldOf(t)
	w.canary(canaryObject(event.PhaseFinalising, 0), time.Now())
	if err := w.undecided(); err != nil {
		t.Error(err)
	}
	w.lease.longestGap = 20 * time.Second
	if err := w.undecided(); err == nil || !strings.Contains(err.Error(),
		"(phase Finalising), and the API server was unreachable for 20s") {
		t.Error(err)
	}
	w.canary(canaryObject(event.PhaseSucceeded, 0), time.Now())
	if err := w.undecided(); err != nil {
		t.Error(err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := worldOf(t)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := w.Wait(ctx, time.Hour, nil); !errors.Is(err, context.DeadlineExceeded) ||
			w.elapsed() != 300*time.Millisecond {
			t.Errorf("%v after %v", err, w.elapsed())
		}
	})
}

// While the API server is away, calls are retried until the lab has a fault.
func TestRetryWhileServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := worldOf(t)
		calls := 0
		err := w.retry(t.Context(), func(context.Context) error {
			if calls++; calls < 5 {
				return &client.StatusError{Status: 503, Body: "no endpoints"}
			}
			return nil
		})
		if err != nil || calls != 5 {
			t.Errorf("%v after %d calls", err, calls)
		}
		refused := &client.StatusError{Status: 409, Body: "shard 2/2 is missing"}
		if err := w.retry(t.Context(), func(context.Context) error { return refused }); !errors.Is(err, refused) {
			t.Errorf("a refusal: %v", err)
		}
		time.AfterFunc(10*time.Second, func() { w.agentFailed(client.ErrRestarted) })
		err = w.retry(t.Context(), func(context.Context) error { return &client.StatusError{Status: 502} })
		if !errors.Is(err, client.ErrRestarted) {
			t.Errorf("a fault meanwhile: %v", err)
		}
	})
}
