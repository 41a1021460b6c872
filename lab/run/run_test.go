package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
)

// script is a cluster without services: time jumps to the next entry of phases, and every step of
// the runner is recorded.
type script struct {
	phases []phaseAt
	// fail breaks the named step; cancel stops the run when the named step is reached.
	fail, cancel string
	stop         context.CancelFunc
}

type phaseAt struct {
	at    time.Duration
	phase string
}

func (s script) Describe() cluster.Description {
	return cluster.Description{Cluster: "script", Mesh: "none", Versions: map[string]string{"script": "1"}}
}

func (s script) Session(ctx context.Context, _ cluster.RunSpec, rec *event.Recorder,
	play func(context.Context, cluster.World) error) error {
	return play(ctx, &scriptWorld{script: s, rec: rec})
}

type scriptWorld struct {
	script
	rec *event.Recorder
	now time.Duration
}

func (w *scriptWorld) Now() time.Duration { return w.now }

func (w *scriptWorld) Phase() string {
	phase := ""
	for _, p := range w.phases {
		if p.at <= w.now {
			phase = p.phase
		}
	}
	return phase
}

func (w *scriptWorld) Wait(ctx context.Context, until time.Duration, condition func() bool) (bool, error) {
	for {
		if condition != nil && condition() {
			return true, nil
		}
		next := until
		for _, p := range w.phases {
			if p.at > w.now {
				next = min(next, p.at)
			}
		}
		if err := w.step(ctx, "wait"); err != nil {
			return false, err
		}
		w.now = next
		if w.now == until {
			return condition != nil && condition(), nil
		}
	}
}

func (w *scriptWorld) step(ctx context.Context, name string) error {
	if w.cancel == name {
		w.stop()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if w.fail == name {
		return errors.New("the script broke")
	}
	if name != "wait" {
		w.rec.Record(w.now, "script", event.Deleted{Name: name})
	}
	return nil
}

func (w *scriptWorld) ApplyGuardrails(ctx context.Context) error { return w.step(ctx, "apply") }
func (w *scriptWorld) StartTraffic(ctx context.Context) error    { return w.step(ctx, "start") }
func (w *scriptWorld) Release(ctx context.Context) error         { return w.step(ctx, "release") }
func (w *scriptWorld) StopTraffic(ctx context.Context) error     { return w.step(ctx, "stop") }

func runSpec(guarded bool) cluster.RunSpec {
	s := &scenario.Scenario{
		Name:     "scripted",
		Services: []scenario.Service{{Name: "backend", Baseline: "v1"}},
		Release:  scenario.Release{Service: "backend", Faulty: "v2", Healthy: "v3"},
		Timing:   scenario.Timing{Baseline: time.Minute, Horizon: 10 * time.Minute},
	}
	f := cluster.RunSpec{Scenario: s, Version: "v2", Seed: 7}
	if guarded {
		f.Guardrails = &guardrail.Set{}
	}
	return f
}

// summarise returns one line per event: seconds, kind and name or outcome.
func summarise(events []event.Event) []string {
	var lines []string
	for _, e := range events {
		word := ""
		switch f := e.Fact.(type) {
		case event.Stage:
			word = f.Name
		case event.Deleted:
			word = f.Name
		case event.RunEnded:
			word = f.Outcome
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%v %s %s", e.At.Seconds(), e.Fact.Kind(), word)))
	}
	return lines
}

func TestRun(t *testing.T) {
	ready := phaseAt{20 * time.Second, "Initialized"}
	for name, test := range map[string]struct {
		cluster script
		guarded bool
		want    []string
	}{
		"a rollout that fails settles until the horizon": {
			cluster: script{phases: []phaseAt{ready, {200 * time.Second, "Progressing"},
				{260 * time.Second, "Failed"}}},
			guarded: true,
			want: []string{"0 run.started", "0 run.stage prepare", "0 object.deleted apply", "20 run.stage baseline",
				"20 object.deleted start",
				"80 run.stage rollout", "80 object.deleted release", "260 run.stage settle", "680 object.deleted stop",
				"680 run.ended completed"},
		},
		"a rollout that never ends has no settling": {
			cluster: script{phases: []phaseAt{ready, {200 * time.Second, "Progressing"}}},
			guarded: true,
			want: []string{"0 run.started", "0 run.stage prepare", "0 object.deleted apply", "20 run.stage baseline",
				"20 object.deleted start",
				"80 run.stage rollout", "80 object.deleted release", "680 object.deleted stop",
				"680 run.ended completed"},
		},
		"without guardrails nothing is applied or waited for": {
			want: []string{"0 run.started", "0 run.stage prepare", "0 run.stage baseline", "0 object.deleted start",
				"60 run.stage rollout", "60 object.deleted release", "660 object.deleted stop",
				"660 run.ended completed"},
		},
		"a canary that does not get ready is never released": {
			cluster: script{phases: []phaseAt{{time.Second, "Initializing"}}},
			guarded: true,
			want: []string{"0 run.started", "0 run.stage prepare", "0 object.deleted apply",
				"300 run.ended not-ready"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var events []event.Event
			err := Play(t.Context(), test.cluster, runSpec(test.guarded), func(e event.Event) {
				events = append(events, e)
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, summarise(events)); diff != "" {
				t.Errorf("the events differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunStarted(t *testing.T) {
	var first event.Fact
	err := Play(t.Context(), script{}, runSpec(false), func(e event.Event) {
		if e.Seq == 1 {
			first = e.Fact
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := event.RunStarted{Format: event.Format, Scenario: "scripted", Service: "backend", Version: "v2",
		Baseline: "v1",
		Role:     "faulty", Seed: 7, Cluster: "script", Mesh: "none", Versions: map[string]string{"script": "1"}}
	if diff := cmp.Diff(event.Fact(want), first); diff != "" {
		t.Errorf("the first event differs (-want +got):\n%s", diff)
	}
}

func TestRunNotReadyReason(t *testing.T) {
	for phase, want := range map[string]string{"": "no canary", "Initializing": "phase Initializing"} {
		end := lastOf(t, script{phases: []phaseAt{{0, phase}}}, nil)
		if end.Outcome != event.OutcomeNotReady || !strings.Contains(end.Reason, want) {
			t.Errorf("phase %q ended as %+v, want not-ready with %q", phase, end, want)
		}
	}
}

func TestRunLabFault(t *testing.T) {
	broken := errors.New("the script broke")
	for _, step := range []string{"apply", "wait", "start", "release", "stop"} {
		end := lastOf(t, script{phases: []phaseAt{{0, "Initialized"}}, fail: step}, broken)
		if end.Outcome != event.OutcomeLabFault || !strings.Contains(end.Reason, broken.Error()) {
			t.Errorf("a break at %s ended as %+v", step, end)
		}
	}
}

func TestRunInterrupted(t *testing.T) {
	for _, step := range []string{"apply", "wait", "start", "release", "stop"} {
		end := lastOf(t, script{phases: []phaseAt{{0, "Initialized"}}, cancel: step}, context.Canceled)
		if end.Outcome != event.OutcomeInterrupted {
			t.Errorf("a stop at %s ended as %+v", step, end)
		}
	}
}

// lastOf plays a guarded run and returns the closing fact. The run must return an error that
// contains the text of want, or none if want is nil.
func lastOf(t *testing.T, s script, want error) event.RunEnded {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s.stop = stop
	var last event.Fact
	err := Play(ctx, s, runSpec(true), func(e event.Event) { last = e.Fact })
	if (err == nil) != (want == nil) || err != nil && !strings.Contains(err.Error(), want.Error()) {
		t.Fatalf("the run returned %v, want %v", err, want)
	}
	end, ok := last.(event.RunEnded)
	if !ok {
		t.Fatalf("the last event is %T, want RunEnded", last)
	}
	return end
}

// logs are the logs of a trial.
type logs struct {
	mu     sync.Mutex
	logs   []*memoryLog
	refuse uint64
}

type memoryLog struct {
	seed   uint64
	last   event.Fact
	closed int
}

func (l *memoryLog) Write(e event.Event) {
	if start, ok := e.Fact.(event.RunStarted); ok && start.Seed != l.seed {
		panic("a run writes to the log of another")
	}
	l.last = e.Fact
}

func (l *memoryLog) Close() error { l.closed++; return nil }

func (s *logs) open(i int) (Log, error) {
	seed := uint64(i + 1) // as in specs
	if seed == s.refuse {
		return nil, errors.New("the disk is full")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs = append(s.logs, &memoryLog{seed: seed})
	return s.logs[len(s.logs)-1], nil
}

func specs(n uint64) []cluster.RunSpec {
	var fs []cluster.RunSpec
	for seed := uint64(1); seed <= n; seed++ {
		f := runSpec(false)
		f.Seed = seed
		fs = append(fs, f)
	}
	return fs
}

func TestPlayAllPlaysEveryRunOnce(t *testing.T) {
	for _, workers := range []int{0, 1, 3, 50} {
		s := &logs{}
		if err := PlayAll(t.Context(), InProcess{script{}}, specs(20), workers, s.open); err != nil {
			t.Fatal(err)
		}
		var played []uint64
		for _, l := range s.logs {
			played = append(played, l.seed)
			if l.closed != 1 {
				t.Errorf("the log of seed %d was closed %d times", l.seed, l.closed)
			}
			if l.last != (event.RunEnded{Outcome: event.OutcomeCompleted}) {
				t.Errorf("the log of seed %d ends with %+v", l.seed, l.last)
			}
		}
		slices.Sort(played)
		if len(played) != 20 || played[0] != 1 || played[19] != 20 {
			t.Errorf("with %d workers the seeds %v were played, want 1 to 20", workers, played)
		}
	}
}

func TestPlayAllStopsAfterAFault(t *testing.T) {
	s := &logs{refuse: 3}
	err := PlayAll(t.Context(), InProcess{script{}}, specs(20), 1, s.open)
	if err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("the trial returned %v", err)
	}
	if len(s.logs) != 2 {
		t.Errorf("%d runs started, want the 2 before the fault", len(s.logs))
	}
}

// together is a player whose runs all fail, after as many have begun as there are workers.
type together struct{ begun *sync.WaitGroup }

func (p together) Play(_ context.Context, spec cluster.RunSpec, _ func(event.Event)) error {
	p.begun.Done()
	p.begun.Wait()
	return fmt.Errorf("seed %d: dial 127.0.0.1:%d: network is unreachable", spec.Seed, 40000+spec.Seed)
}

// What ails the machine ails every run: it is said once.
func TestPlayAllSaysTheSameOnce(t *testing.T) {
	p := together{&sync.WaitGroup{}}
	p.begun.Add(3)
	err := PlayAll(t.Context(), p, specs(3), 3, (&logs{}).open)
	if err == nil || strings.Count(err.Error(), "network is unreachable") != 1 {
		t.Errorf("the trial returned %v", err)
	}
}

func TestPlayAllInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := &logs{}
	err := PlayAll(ctx, InProcess{script{cancel: "release", stop: stop}}, specs(20), 2, s.open)
	if !errors.Is(err, context.Canceled) || strings.Count(err.Error(), "\n") != 0 {
		t.Errorf("the trial returned %q, want one context.Canceled", err)
	}
	if len(s.logs) > 2 {
		t.Errorf("%d runs started with 2 workers, though the first was stopped", len(s.logs))
	}
	for _, l := range s.logs {
		if end, ok := l.last.(event.RunEnded); !ok || end.Outcome != event.OutcomeInterrupted || l.closed != 1 {
			t.Errorf("seed %d ends with %+v, closed %d times", l.seed, l.last, l.closed)
		}
	}
}
