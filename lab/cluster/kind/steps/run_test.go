package steps_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coalmine/lab/cluster/kind/steps"
)

// world is the state that steps change: a step is done when its name is in it.
type world struct {
	made   []string
	did    []string // Do was called
	broken map[string]error
}

func (w *world) step(name string) steps.Step {
	return steps.Step{
		Name: name,
		Hint: "check " + name,
		Done: func(context.Context) (bool, error) { return slices.Contains(w.made, name), nil },
		Do: func(_ context.Context, say func(string, ...any)) error {
			w.did = append(w.did, name)
			say("creating %s", name)
			if err := w.broken[name]; err != nil {
				return err
			}
			w.made = append(w.made, name)
			return nil
		},
	}
}

func (w *world) steps(names ...string) []steps.Step {
	var steps []steps.Step
	for _, n := range names {
		steps = append(steps, w.step(n))
	}
	return steps
}

// transcript records the reports, one line each: step, state, note, error.
type transcript []string

func (t *transcript) report(p steps.Progress) {
	line := p.Step.Name + " " + string(p.State)
	if p.Note != "" {
		line += " (" + p.Note + ")"
	}
	if p.Err != nil {
		line += ": " + p.Err.Error()
	}
	*t = append(*t, line)
}

func (t *transcript) want(tt *testing.T, lines ...string) {
	tt.Helper()
	if !slices.Equal(*t, lines) {
		tt.Errorf("reported\n%s\nwant\n%s", strings.Join(*t, "\n"), strings.Join(lines, "\n"))
	}
}

func TestRunRunsAllSteps(t *testing.T) {
	w := &world{made: []string{"images"}}
	var log transcript
	if err := steps.Run(t.Context(), w.steps("cluster", "images", "trust"), log.report); err != nil {
		t.Fatal(err)
	}
	log.want(t,
		"cluster running", "cluster running (creating cluster)", "cluster done (creating cluster)",
		"images running", "images kept",
		"trust running", "trust running (creating trust)", "trust done (creating trust)")
	if want := []string{"cluster", "trust"}; !slices.Equal(w.did, want) {
		t.Errorf("did %v, want %v: finished steps are not repeated", w.did, want)
	}
}

func TestFailedRunIsResumed(t *testing.T) {
	w := &world{broken: map[string]error{"images": errors.New("no space left")}}
	list := w.steps("cluster", "images", "trust")
	var log transcript
	err := steps.Run(t.Context(), list, log.report)
	if err == nil || err.Error() != "images: no space left" {
		t.Fatalf("error %v, want the step and the cause", err)
	}
	if last := log[len(log)-1]; last != "images failed (creating images): no space left" {
		t.Errorf("last report %q", last)
	}
	w.broken, w.did = nil, nil
	if err := steps.Run(t.Context(), list, log.report); err != nil {
		t.Fatal(err)
	}
	if want := []string{"images", "trust"}; !slices.Equal(w.did, want) {
		t.Errorf("resumed with %v, want %v", w.did, want)
	}
}

func TestStepWithoutDoneAlwaysRuns(t *testing.T) {
	times := 0
	list := []steps.Step{{Name: "ready", Do: func(context.Context, func(string, ...any)) error { times++; return nil }}}
	for range 2 {
		if err := steps.Run(t.Context(), list, func(steps.Progress) {}); err != nil {
			t.Fatal(err)
		}
	}
	if times != 2 {
		t.Errorf("run %d times, want 2", times)
	}
}

func TestErrorOfDoneFailsTheStep(t *testing.T) {
	step := steps.Step{
		Name: "trust",
		Done: func(context.Context) (bool, error) { return false, errors.New("the Secret cannot be read") },
		Do: func(context.Context, func(string, ...any)) error {
			t.Error("done without knowing the state")
			return nil
		},
	}
	err := steps.Run(t.Context(), []steps.Step{step}, func(steps.Progress) {})
	if err == nil || err.Error() != "trust: the Secret cannot be read" {
		t.Errorf("error %v", err)
	}
}

// hinted is a cause with a hint.
type hinted struct{ hint string }

func (hinted) Error() string  { return "it broke" }
func (h hinted) Hint() string { return h.hint }

func TestHintOfCauseOrStep(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause error
		want  string
	}{
		{"cause without a hint", errors.New("it broke"), "check images"},
		{"cause with a hint", hinted{"start the daemon"}, "start the daemon"},
		{"wrapped cause with a hint", fmt.Errorf("load: %w", hinted{"start the daemon"}), "start the daemon"},
		{"cause with an empty hint", hinted{}, "check images"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{broken: map[string]error{"images": c.cause}}
			err := steps.Run(t.Context(), w.steps("images"), func(steps.Progress) {})
			var failed *steps.Error
			if !errors.As(err, &failed) {
				t.Fatalf("error %v is no *steps.Error", err)
			}
			if got := failed.Hint(); got != c.want {
				t.Errorf("hint %q, want %q", got, c.want)
			}
			if !errors.Is(err, c.cause) {
				t.Errorf("the cause is lost from %v", err)
			}
		})
	}
}

func TestStopDuringStep(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupt signal received")
	w := &world{}
	list := w.steps("cluster", "images")
	list[0].Do = func(ctx context.Context, _ func(string, ...any)) error {
		stop(interrupted)
		<-ctx.Done()
		return errors.New("docker: signal: killed")
	}
	var log transcript
	err := steps.Run(ctx, list, log.report)
	if !errors.Is(err, interrupted) {
		t.Errorf("error %v, want the context's cause", err)
	}
	log.want(t, "cluster running", "cluster stopped: interrupt signal received")
	if len(w.did) != 0 {
		t.Errorf("%v ran after the stop", w.did)
	}
}

// TestDeadlineNamesWhatWasWaitedFor checks that the step's own error and hint survive.
func TestDeadlineNamesWhatWasWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, waiting := range []error{
			fmt.Errorf("Deployment linkerd/identity: %w", hinted{"see its pods"}),
			fmt.Errorf("Deployment linkerd/identity: %w: %w", hinted{"see its pods"}, context.DeadlineExceeded),
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			step := steps.Step{Name: "mesh", Do: func(ctx context.Context,
				_ func(string, ...any)) error {
				<-ctx.Done()
				return waiting
			}}
			err := steps.Run(ctx, []steps.Step{step}, func(steps.Progress) {})
			cancel()
			var failed *steps.Error
			if !errors.As(err, &failed) || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, waiting) ||
				failed.Hint() != "see its pods" {
				t.Errorf("error %v", err)
			}
			if n := strings.Count(err.Error(), context.DeadlineExceeded.Error()); n != 1 {
				t.Errorf("error %q mentions the deadline %d times", err, n)
			}
		}
	})
}

func TestStopBetweenSteps(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	w := &world{}
	list := w.steps("cluster", "images")
	do := list[0].Do
	list[0].Do = func(ctx context.Context, say func(string, ...any)) error {
		defer stop()
		return do(ctx, say)
	}
	var log transcript
	err := steps.Run(ctx, list, log.report)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	log.want(t, "cluster running", "cluster running (creating cluster)", "cluster done (creating cluster)",
		"images running", "images stopped: context canceled")
}

func TestStepDurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(d time.Duration) func(context.Context, func(string, ...any)) error {
			return func(context.Context, func(string, ...any)) error { time.Sleep(d); return nil }
		}
		list := []steps.Step{{Name: "cluster", Do: wait(25 * time.Second)}, {Name: "images", Do: wait(2 * time.Second)}}
		took := map[string]time.Duration{}
		err := steps.Run(t.Context(), list, func(p steps.Progress) { took[p.Step.Name] = p.Took })
		if err != nil || took["cluster"] != 25*time.Second || took["images"] != 2*time.Second {
			t.Errorf("took %v, error %v", took, err)
		}
	})
}

func TestInspectChangesNothing(t *testing.T) {
	w := &world{made: []string{"cluster", "trust"}}
	list := w.steps("cluster", "images", "trust")
	list[2].Done = func(context.Context) (bool, error) {
		t.Error("asked although an earlier step is not done")
		return true, nil
	}
	var states []steps.State
	for i, p := range steps.Inspect(t.Context(), list) {
		if p.Index != i || p.Step.Name != list[i].Name {
			t.Errorf("progress %d is of step %d, %s", i, p.Index, p.Step.Name)
		}
		states = append(states, p.State)
	}
	if want := []steps.State{steps.AlreadyDone, steps.Waiting, steps.Waiting}; !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	if len(w.did) != 0 {
		t.Errorf("did %v", w.did)
	}
}

func TestInspectReportsErrors(t *testing.T) {
	list := (&world{}).steps("cluster")
	unreachable := errors.New("the API server does not respond")
	list[0].Done = func(context.Context) (bool, error) { return false, unreachable }
	got := steps.Inspect(t.Context(), list)
	if got[0].State != steps.Failed || !errors.Is(got[0].Err, unreachable) {
		t.Errorf("inspected %v, %v", got[0].State, got[0].Err)
	}
}
