package trafficpod

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coalmine/lab/cluster/agent/client"
)

// reporter tells the desk, report after report. A report is repeated until the desk has it; what happens meanwhile is in the next one.
type reporter struct {
	agent    *client.Agent
	pod      client.TrafficPod
	recorder *recorder
	number   int
}

func newReporter(d *client.Agent, who client.TrafficPod, a *recorder) *reporter {
	return &reporter{agent: d, pod: who, recorder: a}
}

// settleDelay is how long after a second's end its last answers may take to be counted.
const settleDelay = 300 * time.Millisecond

// run tells each second until the context ends, or nothing will help any more.
func (t *reporter) run(ctx context.Context) error {
	zero := time.Unix(0, t.recorder.zero)
	for n := time.Duration(1); ; n++ {
		if !sleep(ctx, time.Until(zero.Add(t.recorder.begin+n*time.Second+settleDelay))) {
			return nil
		}
		// Late, it tells of all that has ended meanwhile.
		now := time.Since(zero)
		n = max(n, (now-settleDelay-t.recorder.begin)/time.Second)
		r := client.Report{}
		r.Seconds, r.Through = t.recorder.closeUntil(now - settleDelay)
		// A report that was begun is told to its end: half told, it could not be told again.
		if err := t.send(context.WithoutCancel(ctx), r); err != nil {
			return err
		}
	}
}

// reportTimeout is how long a report may take that nobody waits for.
const reportTimeout = 2 * time.Minute

func (t *reporter) send(ctx context.Context, r client.Report) error {
	ctx, cancel := context.WithTimeoutCause(ctx, reportTimeout, errors.New("the desk is out of reach"))
	defer cancel()
	t.number++
	r.TrafficPod, r.Number = t.pod, t.number
	err := retry(ctx, callTimeout, func(ctx context.Context) error { return t.agent.Report(ctx, r) })
	if err != nil {
		return fmt.Errorf("tell the desk: %w", err)
	}
	return nil
}

// close tells the last second and the totals.
func (t *reporter) close(ctx context.Context, s client.Stop, sent int) error {
	at := max(time.Duration(s.At-t.recorder.zero), t.recorder.begin)
	r := client.Report{Through: at}
	seconds, totals := t.recorder.close(at, sent)
	r.Seconds, r.Totals = seconds, &totals
	return t.send(ctx, r)
}

// faultTimeout is what a pod that is being taken away has left to say so.
const faultTimeout = 5 * time.Second

// reportFault tells the desk that the account will not be complete.
func (t *reporter) reportFault(ctx context.Context, err error) error {
	if permanent(err) {
		return err // the desk has said so
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), faultTimeout)
	defer cancel()
	return errors.Join(err, t.send(ctx, client.Report{Fault: err.Error()}))
}
