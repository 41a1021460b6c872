package steps

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Error is a step's failure: which one, why, and what to do.
type Error struct {
	Step Step
	Err  error
}

// Error names the step and the cause. The hint is apart, see [Error.Hint].
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Step.Name, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Hint is what the cause says of itself, with its method Hint, and otherwise the step's: what is known where it went wrong is
// nearer to the matter than what can be said of the step before.
func (e *Error) Hint() string {
	var hinter interface{ Hint() string }
	if errors.As(e.Err, &hinter) && hinter.Hint() != "" {
		return hinter.Hint()
	}
	return e.Step.Hint
}

// Run goes through the steps in their order and ends at the first that fails, with an [*Error]. A step that is done is passed
// over, so a run that was cut off anywhere is resumed by running again. When the context ends, the step at work is Stopped and
// the error wraps the context's cause, and at a deadline what the step was waiting for.
//
// Report gets every change of a step's state and everything a step says, from the steps' goroutines but one at a time as long
// as a step says nothing from several.
func Run(ctx context.Context, steps []Step, report func(Progress)) error {
	for i, s := range steps {
		r := &stepRunner{progress: Progress{Step: s, Index: i}, began: time.Now(), report: report}
		if err := r.run(ctx); err != nil {
			return &Error{Step: s, Err: err}
		}
	}
	return nil
}

// stepRunner takes one step.
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

// cancelCause says why a step ended with its context. What the step says of being interrupted depends on where it was, and tells nobody
// anything; what it was waiting for when the time was up does.
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

// run does what is left of a step and tells whether that was nothing.
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

// Inspect asks every step whether it is done, and changes nothing: Kept is done, Waiting is not, Failed cannot tell and says why.
// Once a step is not done, those behind it are Waiting unasked: what they stand on is missing.
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
