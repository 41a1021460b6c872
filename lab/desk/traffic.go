package desk

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"coalmine/lab/desk/client"
	"coalmine/lab/event"
)

// traffic is what the desk knows of the traffic pods: who is there, what they are to do, and what they have told.
type traffic struct {
	now  func() time.Time
	note func(at time.Time, f event.Fact)

	mu     sync.Mutex
	shards []*shard
	orders client.Orders
	// changed is closed when orders change, ended when every shard has ended or one never will.
	changed, ended chan struct{}
	merge          *merge
	recent         recent
	fault          string
	closed         bool
	drill          *probing
}

// shard is one of the traffic pods.
type shard struct {
	client.Shard
	number int // in the list
	// asking counts its calls for orders that wait.
	asking int
	heard  time.Time
	// told is when it reported last. report is the number of the last one, through the time up to which it has told.
	told    time.Time
	report  int
	through time.Duration
	totals  *event.TrafficTotals
}

func (s *shard) String() string { return fmt.Sprintf("%s %d/%d", s.Client, s.Index, s.Count) }

// A shard that waits asks for orders anew at once; one that sends reports each second.
const (
	absence = 5 * time.Second
	silence = 15 * time.Second
)

func newTraffic(counts map[string]int, now func() time.Time, note func(time.Time, event.Fact)) *traffic {
	t := &traffic{now: now, note: note, changed: make(chan struct{}), ended: make(chan struct{})}
	t.orders.Generation = 1
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		for i := range counts[name] {
			t.shards = append(t.shards, &shard{Shard: client.Shard{Client: name, Index: i + 1, Count: counts[name]}, number: len(t.shards)})
		}
	}
	t.merge = newMerge(len(t.shards))
	return t
}

// refusal is why a shard or the story is not served, with the HTTP status that says so.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// find returns the shard that calls. The lock is held.
func (t *traffic) find(who client.Shard) (*shard, error) {
	at := slices.IndexFunc(t.shards, func(s *shard) bool {
		return s.Client == who.Client && s.Index == who.Index && s.Count == who.Count
	})
	if at < 0 {
		return nil, refuse(410, "the flight has no shard %s %d/%d", who.Client, who.Index, who.Count)
	}
	s := t.shards[at]
	switch {
	case s.Process == who.Process:
	case t.orders.Start == nil:
		s.Process, s.asking = who.Process, 0
	default:
		t.fail(fmt.Sprintf("traffic pod %v was started anew, and what it had counted is lost", s))
		return nil, refuse(410, "shard %v has begun in another process", s)
	}
	s.heard = t.now()
	return s, nil
}

// fail makes the account incomplete for good. The lock is held.
func (t *traffic) fail(fault string) {
	if t.fault == "" && !t.closed {
		t.fault = fault
		close(t.ended)
	}
}

// order changes the orders. The lock is held.
func (t *traffic) order(change func(*client.Orders)) {
	change(&t.orders)
	t.orders.Generation++
	close(t.changed)
	t.changed = make(chan struct{})
}

// await returns orders that are newer than those of a generation, or the same when the context or the time has ended.
func (t *traffic) await(ctx context.Context, who client.Shard, after int, limit time.Duration) (client.Orders, error) {
	t.mu.Lock()
	s, err := t.find(who)
	if err != nil || t.orders.Generation != after {
		defer t.mu.Unlock()
		return t.orders, err
	}
	s.asking++
	changed := t.changed
	t.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.Process == who.Process {
		s.asking--
		s.heard = t.now()
	}
	return t.orders, nil
}

// missing are the shards that are not there. The lock is held.
func (t *traffic) missing() []string {
	var list []string
	for _, s := range t.shards {
		if t.orders.Start == nil && s.asking == 0 && (s.heard.IsZero() || t.now().Sub(s.heard) > absence) {
			list = append(list, s.String())
		}
	}
	return list
}

// start lets the shards begin.
func (t *traffic) start(s client.Start) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if have := t.orders.Start; have != nil {
		if *have != s {
			return refuse(409, "the traffic has begun already")
		}
		return nil
	}
	if missing := t.missing(); len(missing) > 0 {
		return refuse(409, "traffic pods are missing: %s", strings.Join(missing, ", "))
	}
	if s.Begin < s.Zero {
		return refuse(400, "the traffic begins before the run")
	}
	t.order(func(o *client.Orders) { o.Start = &s })
	for _, x := range t.shards { // who is late to say something counts from here
		x.told = time.Unix(0, max(s.Begin, t.now().UnixNano()))
		x.through = time.Duration(s.Begin - s.Zero)
	}
	t.finish()
	return nil
}

// release tells the shards of the release.
func (t *traffic) release(r client.Released) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.orders.Released == nil {
		t.order(func(o *client.Orders) { o.Released = &r })
	}
}

// released is when the release was; false before.
func (t *traffic) released() (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.orders.Released == nil {
		return time.Time{}, false
	}
	return time.Unix(0, t.orders.Released.At), true
}

// stop ends the traffic and waits for the shards' totals, or until it is known that they will not come.
func (t *traffic) stop(ctx context.Context, s client.Stop) error {
	t.mu.Lock()
	if t.orders.Stop == nil {
		t.order(func(o *client.Orders) { o.Stop = &s })
	}
	begun := t.orders.Start != nil
	t.mu.Unlock()
	if !begun {
		return nil
	}
	select {
	case <-t.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// report takes a shard's report.
func (t *traffic) report(r client.Report) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, err := t.find(r.Shard)
	switch {
	case err != nil:
		return err
	case t.orders.Start == nil:
		return refuse(409, "the traffic has not begun")
	case r.Number <= s.report:
		return nil // it came before, and its answer was lost
	case r.Number != s.report+1:
		t.fail(fmt.Sprintf("traffic pod %v told report %d where %d was due", s, r.Number, s.report+1))
		return refuse(409, "report %d is due, not %d", s.report+1, r.Number)
	case s.totals != nil:
		return refuse(409, "shard %v has ended", s)
	}
	s.told = t.now()
	s.report, s.through = r.Number, max(s.through, r.Through)
	if r.Fault != "" {
		t.fail(fmt.Sprintf("traffic pod %v: %s", s, r.Fault))
		return nil
	}
	for _, second := range r.Seconds {
		t.merge.add(s.number, second)
		t.recent.add(t.now(), t.wall(time.Duration(second.To)), second.Cells)
	}
	s.totals = r.Totals
	t.finish()
	return nil
}

// wall is a time since the run's start by the clock. The lock is held, and traffic has begun.
func (t *traffic) wall(at time.Duration) time.Time { return time.Unix(0, t.orders.Start.Zero).Add(at) }

// finish notes what every shard has told. The lock is held.
func (t *traffic) finish() {
	const never = time.Duration(1<<63 - 1)
	through, open := never, 0
	for _, s := range t.shards {
		if s.totals == nil {
			through = min(through, s.through)
			open++
		}
	}
	for _, second := range t.merge.take(through) {
		t.note(t.wall(time.Duration(second.To)), second)
	}
	if open == 0 && t.fault == "" && !t.closed && t.orders.Start != nil {
		t.closed = true
		t.note(t.closing(), t.totals())
		close(t.ended)
	}
}

// closing is when the last shard's account ends.
func (t *traffic) closing() time.Time {
	if t.orders.Stop != nil {
		return time.Unix(0, t.orders.Stop.At)
	}
	last := slices.MaxFunc(append([]*shard{{}}, t.shards...), func(a, b *shard) int { return cmp.Compare(a.through, b.through) })
	return t.wall(last.through)
}

func (t *traffic) totals() event.TrafficTotals {
	sum := event.TrafficTotals{}
	for _, s := range t.shards {
		addTotals(&sum, *s.totals)
	}
	return sum
}

// watch finds shards that have fallen silent.
func (t *traffic) watch() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.orders.Start == nil || t.closed {
		return
	}
	for _, s := range t.shards {
		if quiet := t.now().Sub(s.told); s.totals == nil && quiet > silence {
			t.fail(fmt.Sprintf("traffic pod %v has said nothing for %v", s, quiet.Round(time.Second)))
		}
	}
}

// status tells how the traffic goes.
func (t *traffic) status() client.Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	st := client.Status{Missing: t.missing(), Fault: t.fault}
	for _, s := range t.shards {
		if s.totals != nil {
			st.Done++
		}
	}
	st.Ready = len(t.shards) - len(st.Missing) - st.Done
	return st
}
