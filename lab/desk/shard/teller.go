package shard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coalmine/lab/desk/client"
)

// teller tells the desk, report after report. A report is repeated until the desk has it; what happens meanwhile is in the next one.
type teller struct {
	desk    *client.Desk
	who     client.Shard
	account *account
	number  int
}

func newTeller(d *client.Desk, who client.Shard, a *account) *teller {
	return &teller{desk: d, who: who, account: a}
}

// settling is how long after a second's end its last answers may take to be counted.
const settling = 300 * time.Millisecond

// run tells each second until the context ends, or nothing will help any more.
func (t *teller) run(ctx context.Context) error {
	zero := time.Unix(0, t.account.zero)
	for n := time.Duration(1); ; n++ {
		if !pause(ctx, time.Until(zero.Add(t.account.begin+n*time.Second+settling))) {
			return nil
		}
		// Late, it tells of all that has ended meanwhile.
		now := time.Since(zero)
		n = max(n, (now-settling-t.account.begin)/time.Second)
		r := client.Report{}
		r.Seconds, r.Through = t.account.upTo(now - settling)
		// A report that was begun is told to its end: half told, it could not be told again.
		if err := t.tell(context.WithoutCancel(ctx), r); err != nil {
			return err
		}
	}
}

// lastWords is how long a report may take that nobody waits for.
const lastWords = 2 * time.Minute

func (t *teller) tell(ctx context.Context, r client.Report) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lastWords, errors.New("the desk is out of reach"))
	defer cancel()
	t.number++
	r.Shard, r.Number = t.who, t.number
	err := retry(ctx, callLimit, func(ctx context.Context) error { return t.desk.Post(ctx, r) })
	if err != nil {
		return fmt.Errorf("tell the desk: %w", err)
	}
	return nil
}

// close tells the last second and the totals.
func (t *teller) close(ctx context.Context, s client.Stop, sent int) error {
	at := max(time.Duration(s.At-t.account.zero), t.account.begin)
	r := client.Report{Through: at}
	seconds, totals := t.account.end(at, sent)
	r.Seconds, r.Totals = seconds, &totals
	return t.tell(ctx, r)
}

// faultLimit is what a pod that is being taken away has left to say so.
const faultLimit = 5 * time.Second

// giveUp tells the desk that the account will not be complete.
func (t *teller) giveUp(ctx context.Context, err error) error {
	if lasting(err) {
		return err // the desk has said so
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), faultLimit)
	defer cancel()
	return errors.Join(err, t.tell(ctx, client.Report{Fault: err.Error()}))
}
