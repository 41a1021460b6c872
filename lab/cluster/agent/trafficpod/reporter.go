package trafficpod

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/backoff"
)

// reporter sends reports to the agent, one after the other. A report is repeated until the agent
// has it; what happens meanwhile is in the next one.
type reporter struct {
	agent    *client.Agent
	pod      client.TrafficPod
	recorder *recorder
	number   int
}

func newReporter(agent *client.Agent, pod client.TrafficPod, recorder *recorder) *reporter {
	return &reporter{agent: agent, pod: pod, recorder: recorder}
}

// settleDelay is how long after the end of a second its last responses may take to be counted.
const settleDelay = 300 * time.Millisecond

// run reports every second until the context ends or an error is permanent.
func (t *reporter) run(ctx context.Context) error {
	zero := time.Unix(0, t.recorder.zero)
	for n := time.Duration(1); ; n++ {
		if backoff.Sleep(ctx, time.Until(zero.Add(t.recorder.begin+n*time.Second+settleDelay))) != nil {
			return nil
		}
		// A late report has all seconds that have ended meanwhile.
		now := time.Since(zero)
		n = max(n, (now-settleDelay-t.recorder.begin)/time.Second)
		r := client.Report{}
		r.Seconds, r.Through = t.recorder.closeUntil(now - settleDelay)
		// A report is not cancelled: if it was received, its seconds must not be sent in another
		// one.
		if err := t.send(context.WithoutCancel(ctx), r); err != nil {
			return err
		}
	}
}

// reportTimeout bounds a report, which is not cancelled.
const reportTimeout = 2 * time.Minute

func (t *reporter) send(ctx context.Context, r client.Report) error {
	ctx, cancel := context.WithTimeoutCause(ctx, reportTimeout, errors.New("the agent is unreachable"))
	defer cancel()
	t.number++
	r.TrafficPod, r.Number = t.pod, t.number
	err := retry(ctx, callTimeout, func(ctx context.Context) error { return t.agent.Report(ctx, r) })
	if err != nil {
		return fmt.Errorf("report to the agent: %w", err)
	}
	return nil
}

// close reports the last second and the totals.
func (t *reporter) close(ctx context.Context, s client.Stop, sent int) error {
	at := max(time.Duration(s.At-t.recorder.zero), t.recorder.begin)
	r := client.Report{Through: at}
	seconds, totals := t.recorder.close(at, sent)
	r.Seconds, r.Totals = seconds, &totals
	return t.send(ctx, r)
}

// faultTimeout is the time that a deleted pod has left to report a fault.
const faultTimeout = 5 * time.Second

// reportFault tells the agent that the pod's account is incomplete.
func (t *reporter) reportFault(ctx context.Context, err error) error {
	if permanent(err) {
		return err // the agent knows
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), faultTimeout)
	defer cancel()
	return errors.Join(err, t.send(ctx, client.Report{Fault: err.Error()}))
}
