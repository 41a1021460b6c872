package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/objective"
	"coalmine/loadgen/attack"
	"coalmine/loadgen/results"
)

// Result is the result of a load test.
type Result struct {
	Results  *results.Results
	Verdicts []objective.Verdict
	// Err says why the test is incomplete or useless: it was interrupted, no request was answered,
	// or a file could not be written.
	Err error
}

// Run sends the plan. It writes the files that the options name, calls listen with each event, and
// reports the address of the metrics on messages. If the test is interrupted, Run returns the
// result so far with its Err set; version is that of this program, for the event log.
func (t *Test) Run(ctx context.Context, version string, messages io.Writer, listen func(event.Event)) (*Result, error) {
	send, err := t.executor(ctx)
	if err != nil {
		return nil, err
	}
	out, err := t.openOutputs(ctx, messages)
	if err != nil {
		return nil, err
	}
	listeners := []func(event.Event){listen}
	if out.eventLog != nil {
		listeners = append(listeners, out.eventLog.Write)
	}
	events := event.NewRecorder(listeners...)
	events.Record(0, "load", t.started(version))
	c := newCollector(t, events, out.exporter)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if t.options.AbortOnViolation {
		c.watch = &watch{objectives: t.objectives, stop: cancel}
	}
	report, sendErr := send(ctx, sink{done: c.add, raw: out.raw()})
	c.close(report.Elapsed, report.Arrivals)
	events.Record(report.Elapsed, "load", ended(sendErr))
	events.Flush()
	c.results.Run = results.Run{
		Start: report.Start, Elapsed: max(0, report.Elapsed-c.warmUp), Unsent: int64(report.Unsent),
		Workers: int64(report.Workers), Peak: int64(report.Peak), Saturated: report.Saturated,
	}
	if c.warmUp > 0 {
		fmt.Fprintf(messages, "The first %s were warm-up: their %s count neither in the report nor for objectives\n",
			format.Setting(c.warmUp), format.Plural(c.warm, "attempt"))
	}
	result := t.result(c, report, sendErr)
	result.Err = errors.Join(result.Err, out.writeResults(c), out.close())
	return result, nil
}

func (t *Test) result(c *collector, report attack.Report, sendErr error) *Result {
	r := &Result{Results: c.results, Verdicts: objective.JudgeAll(t.objectives, c.results), Err: sendErr}
	switch {
	case errors.Is(sendErr, errViolated):
		r.Err = nil // what the verdicts say is the result
	case errors.Is(sendErr, context.Canceled):
		r.Err = fmt.Errorf("%w: %d planned requests were not sent; objectives are judged by those that were", sendErr,
			report.Unsent)
	case sendErr == nil && c.results.Sum(nil).Attempts > 0 && c.answered == 0 && len(c.results.Limits()) == 0:
		r.Err = fmt.Errorf("none of %d requests was answered: the report shows why; is the target "+
			"still running, and does it speak HTTP/1.1 (else --http2)?",
			report.Attempts)
	}
	return r
}

// started returns the first event of a load test.
func (t *Test) started(version string) event.RunStarted {
	cluster, mesh := "load", "none"
	if t.options.Target.Simulated() {
		cluster, mesh = "sim", "linkerd-model"
	}
	return event.RunStarted{
		Format: event.Format, Scenario: t.source.name, Service: t.source.releasedService(), Seed: t.plan.Seed(),
		Cluster: cluster, Mesh: mesh, Versions: map[string]string{"coalmine": version},
	}
}

// ended returns the last event of a load test.
func ended(err error) event.RunEnded {
	switch {
	case err == nil:
		return event.RunEnded{Outcome: event.OutcomeCompleted}
	case errors.Is(err, context.Canceled), errors.Is(err, errViolated):
		return event.RunEnded{Outcome: event.OutcomeInterrupted}
	}
	return event.RunEnded{Outcome: event.OutcomeLabFault, Reason: err.Error()}
}
