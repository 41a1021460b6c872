package steps

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Error is the failure of a step, with advice.
type Error struct {
	Step Step
	Err  error
}

// Error returns the step and the cause. For the advice, see [Error.Hint].
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Step.Name, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Hint returns the hint of the cause if it has one, and otherwise the step's, which is less
// specific.
func (e *Error) Hint() string {
	var hinter interface{ Hint() string }
	if errors.As(e.Err, &hinter) && hinter.Hint() != "" {
		return hinter.Hint()
	}
	return e.Step.Hint
}

// Run runs the steps in order and ends at the first that fails, with an [*Error]. It skips a step
// that is done, so an interrupted run is resumed by another call. When the context ends, the
// current step is Stopped and the error wraps the context's cause and, after a deadline, what the
// step was waiting for.
//
// Report is called for every change of a step's state and every message of a step, from the
// goroutines of the steps; a step that reports from several must expect concurrent calls.
func Run(ctx context.Context, steps []Step, report func(Progress)) error {
	for i, s := range steps {
		r := &stepRunner{progress: Progress{Step: s, Index: i}, began: time.Now(), report: report}
		if err := r.run(ctx); err != nil {
			return &Error{Step: s, Err: err}
		}
	}
	return nil
}

// stepRunner runs one step.
type stepRunner struct {
	progress Progress
	began    time.Time
	report   func(Progress)
}

func (r *stepRunner) run(ctx context.Context) error {
	r.emit(Running, nil)
	kept, err := r.progress.Step.run(ctx, r.setNote)
	switch {
	case err != nil && ctx.Err() != nil:
		err = cancelCause(ctx, err)
		r.emit(Stopped, err)
	case err != nil:
		r.emit(Failed, err)
	case kept:
		r.emit(AlreadyDone, nil)
	default:
		r.emit(Done, nil)
	}
	return err
}

// cancelCause returns why a step ended with its context. The step's own error about an interruption
// depends on where it was and helps nobody, but what it was waiting for at the deadline does.
func cancelCause(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case !errors.Is(cause, context.DeadlineExceeded):
		return cause
	case errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// run does the rest of a step's work and reports whether there was none.
func (s Step) run(ctx context.Context, say func(string, ...any)) (kept bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if kept, err = s.done(ctx); kept || err != nil {
		return kept, err
	}
	return false, s.Do(ctx, say)
}

func (s Step) done(ctx context.Context) (bool, error) {
	if s.Done == nil {
		return false, nil
	}
	return s.Done(ctx)
}

func (r *stepRunner) setNote(format string, args ...any) {
	r.progress.Note = fmt.Sprintf(format, args...)
	r.emit(Running, nil)
}

func (r *stepRunner) emit(state State, err error) {
	p := r.progress
	p.State, p.Err, p.Took = state, err, time.Since(r.began)
	r.report(p)
}

// Inspect calls Done of every step and changes nothing: AlreadyDone if it is done, Waiting if not,
// Failed if Done failed. After the first step that is not done, all others are Waiting: what they
// need is missing.
func Inspect(ctx context.Context, steps []Step) []Progress {
	all := make([]Progress, len(steps))
	missing := false
	for i, s := range steps {
		all[i] = Progress{Step: s, Index: i, State: Waiting}
		if missing {
			continue
		}
		began := time.Now()
		done, err := s.done(ctx)
		all[i].Took, all[i].Err = time.Since(began), err
		switch {
		case err != nil:
			all[i].State = Failed
		case done:
			all[i].State = AlreadyDone
		}
		missing = all[i].State != AlreadyDone
	}
	return all
}
