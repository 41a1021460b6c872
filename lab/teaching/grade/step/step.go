// Package step checks one step of a lab on a platform that asks for a yes or a no: whether guardrails
// do what the step is about. It plays one seed, so that it takes a few seconds on half a core.
package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/guardrail"
	"coalmine/lab/input"
	"coalmine/lab/run"
	"coalmine/lab/run/trial"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// Expectations of a step.
const (
	ExpectValid     = "valid"     // the manifests can be played
	ExpectMissed    = "missed"    // the faulty release gets through
	ExpectCaught    = "caught"    // the faulty release is caught, and the healthy one is not stopped
	ExpectDelivered = "delivered" // the healthy release is delivered
	ExpectPassed    = "passed"    // all that the scenario asks for
)

// Expectations lists them.
func Expectations() []string {
	return []string{ExpectValid, ExpectMissed, ExpectCaught, ExpectDelivered, ExpectPassed}
}

// Options of a check.
type Options struct {
	// Guardrails are a folder, a file, or a variant; relative paths start from Base.
	Guardrails, Base string
	Expect           string
	Seed             uint64
	Player           run.Player
	Workers          int
}

// Result is the answer.
type Result struct {
	OK bool
	// Reason is one line.
	Reason string
}

// Check plays what the expectation needs. Guardrails that are not valid are an answer; an error is a
// fault of the lab or of the command.
func Check(ctx context.Context, src *trial.Source, o Options) (Result, error) {
	if !slices.Contains(Expectations(), o.Expect) {
		return Result{}, input.New("write one of "+strings.Join(Expectations(), ", "), "--expect is %q", o.Expect)
	}
	t, err := trial.New(ctx, src, trial.Options{Guardrails: o.Guardrails, Base: o.Base, Seed: o.Seed, Seeds: 1})
	var findings guardrail.Errors
	switch {
	case errors.As(err, &findings):
		return no("%s", findings[0]), nil
	case err != nil:
		return Result{}, err
	case o.Expect == ExpectValid:
		return Result{true, "the manifests are valid"}, nil
	}
	card, err := play(ctx, t, src, o)
	if err != nil {
		return Result{}, err
	}
	return judge(card, o.Expect), nil
}

func no(format string, args ...any) Result { return Result{Reason: fmt.Sprintf(format, args...)} }

// play plays the runs that points need.
func play(ctx context.Context, t *trial.Trial, src *trial.Source, o Options) (score.Card, error) {
	var specs []cluster.RunSpec
	var runs []score.RunResult
	for i, r := range t.Runs {
		role := score.Role(r.Role)
		if role == score.RoleReference || role == score.RoleUnguarded && o.Expect != ExpectPassed ||
			role == score.RoleHealthy && o.Expect == ExpectMissed ||
			role == score.RoleFaulty && o.Expect == ExpectDelivered {
			continue
		}
		specs = append(specs, t.Specs[i])
		runs = append(runs, score.RunResult{Name: r.Name(), Role: role, Timeline: new(timeline.Timeline)})
	}
	err := run.PlayAll(ctx, o.Player, specs, o.Workers, func(i int) (run.Log, error) {
		return &fold{timeline: runs[i].Timeline}, nil
	})
	return score.Evaluate(src.Scenario, runs), err
}

// fold is a log that only folds its events.
type fold struct {
	mu       sync.Mutex
	timeline *timeline.Timeline
}

// Write implements [run.Log].
func (f *fold) Write(e event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timeline.Fold(e)
}

// Close implements [run.Log].
func (f *fold) Close() error { return nil }

// judge compares the runs with what is expected.
func judge(c score.Card, expect string) Result {
	if expect == ExpectPassed {
		return Result{c.Exit == score.ExitPassed, oneLine(c.Reason)}
	}
	want := map[string]map[string]score.Verdict{
		ExpectMissed:    {string(score.RoleFaulty): score.Missed},
		ExpectCaught:    {string(score.RoleFaulty): score.Caught, string(score.RoleHealthy): score.Promoted},
		ExpectDelivered: {string(score.RoleHealthy): score.Promoted},
	}[expect]
	reason := ""
	for _, r := range c.Runs {
		verdict, ok := want[r.Role]
		if !ok {
			continue
		}
		if r.Verdict != verdict {
			return no("the %s release was %s: %s", r.Role, r.Verdict.Text(), oneLine(r.Reason))
		}
		if reason == "" {
			reason = fmt.Sprintf("the %s release was %s: %s", r.Role, r.Verdict.Text(), oneLine(r.Reason))
		}
	}
	return Result{reason != "", reason}
}

func oneLine(s string) string { return format.Clean(strings.Join(strings.Fields(s), " ")) }
