package agent

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/event"
)

// traffic is what the desk knows of the traffic pods: who is there, what they are to do, and what they have told.
type traffic struct {
	now    func() time.Time
	record func(at time.Time, f event.Fact)

	mu       sync.Mutex
	pods     []*trafficPod
	commands client.Commands
	// changed is closed when orders change, ended when every shard has ended or one never will.
	changed, ended chan struct{}
	merge          *merger
	recent         recentTraffic
	fault          string
	closed         bool
	drill          *probeRound
}

// trafficPod is one of the traffic pods.
type trafficPod struct {
	client.TrafficPod
	number int // in the list
	// waiting counts its calls for orders that wait.
	waiting   int
	lastHeard time.Time
	// lastReport is when it reported last. report is the number of the last one, through the time up to which it has told.
	lastReport   time.Time
	reportNumber int
	through      time.Duration
	totals       *event.TrafficTotals
}

func (s *trafficPod) String() string { return fmt.Sprintf("%s %d/%d", s.Client, s.Index, s.Count) }

// A shard that waits asks for orders anew at once; one that sends reports each second.
const (
	absentAfter = 5 * time.Second
	silentAfter = 15 * time.Second
)

func newTraffic(counts map[string]int, now func() time.Time, note func(time.Time, event.Fact)) *traffic {
	t := &traffic{now: now, record: note, changed: make(chan struct{}), ended: make(chan struct{})}
	t.commands.Generation = 1
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		for i := range counts[name] {
			t.pods = append(t.pods, &trafficPod{TrafficPod: client.TrafficPod{Client: name, Index: i + 1, Count: counts[name]}, number: len(t.pods)})
		}
	}
	t.merge = newMerger(len(t.pods))
	return t
}

// httpError is why a shard or the story is not served, with the HTTP status that says so.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string { return e.text }

func httpErrorf(status int, format string, args ...any) error {
	return &httpError{status, fmt.Sprintf(format, args...)}
}

// find returns the shard that calls. The lock is held.
func (t *traffic) find(who client.TrafficPod) (*trafficPod, error) {
	at := slices.IndexFunc(t.pods, func(s *trafficPod) bool {
		return s.Client == who.Client && s.Index == who.Index && s.Count == who.Count
	})
	if at < 0 {
		return nil, httpErrorf(410, "the flight has no shard %s %d/%d", who.Client, who.Index, who.Count)
	}
	s := t.pods[at]
	switch {
	case s.Process == who.Process:
	case t.commands.Start == nil:
		s.Process, s.waiting = who.Process, 0
	default:
		t.fail(fmt.Sprintf("traffic pod %v was started anew, and what it had counted is lost", s))
		return nil, httpErrorf(410, "shard %v has begun in another process", s)
	}
	s.lastHeard = t.now()
	return s, nil
}

// fail makes the account incomplete for good. The lock is held.
func (t *traffic) fail(fault string) {
	if t.fault == "" && !t.closed {
		t.fault = fault
		close(t.ended)
	}
}

// change changes the orders. The lock is held.
func (t *traffic) change(change func(*client.Commands)) {
	change(&t.commands)
	t.commands.Generation++
	close(t.changed)
	t.changed = make(chan struct{})
}

// waitCommands returns orders that are newer than those of a generation, or the same when the context or the time has ended.
func (t *traffic) waitCommands(ctx context.Context, who client.TrafficPod, after int, limit time.Duration) (client.Commands, error) {
	t.mu.Lock()
	s, err := t.find(who)
	if err != nil || t.commands.Generation != after {
		defer t.mu.Unlock()
		return t.commands, err
	}
	s.waiting++
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
		s.waiting--
		s.lastHeard = t.now()
	}
	return t.commands, nil
}

// missing are the shards that are not there. The lock is held.
func (t *traffic) missing() []string {
	var list []string
	for _, s := range t.pods {
		if t.commands.Start == nil && s.waiting == 0 && (s.lastHeard.IsZero() || t.now().Sub(s.lastHeard) > absentAfter) {
			list = append(list, s.String())
		}
	}
	return list
}

// start lets the shards begin.
func (t *traffic) start(s client.Start) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if have := t.commands.Start; have != nil {
		if *have != s {
			return httpErrorf(409, "the traffic has begun already")
		}
		return nil
	}
	if missing := t.missing(); len(missing) > 0 {
		return httpErrorf(409, "traffic pods are missing: %s", strings.Join(missing, ", "))
	}
	if s.Begin < s.Zero {
		return httpErrorf(400, "the traffic begins before the run")
	}
	t.change(func(o *client.Commands) { o.Start = &s })
	for _, x := range t.pods { // who is late to say something counts from here
		x.lastReport = time.Unix(0, max(s.Begin, t.now().UnixNano()))
		x.through = time.Duration(s.Begin - s.Zero)
	}
	t.flush()
	return nil
}

// release tells the shards of the release.
func (t *traffic) release(r client.Release) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.commands.Release == nil {
		t.change(func(o *client.Commands) { o.Release = &r })
	}
}

// released is when the release was; false before.
func (t *traffic) released() (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.commands.Release == nil {
		return time.Time{}, false
	}
	return time.Unix(0, t.commands.Release.At), true
}

// stop ends the traffic and waits for the shards' totals, or until it is known that they will not come.
func (t *traffic) stop(ctx context.Context, s client.Stop) error {
	t.mu.Lock()
	if t.commands.Stop == nil {
		t.change(func(o *client.Commands) { o.Stop = &s })
	}
	begun := t.commands.Start != nil
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
	s, err := t.find(r.TrafficPod)
	switch {
	case err != nil:
		return err
	case t.commands.Start == nil:
		return httpErrorf(409, "the traffic has not begun")
	case r.Number <= s.reportNumber:
		return nil // it came before, and its answer was lost
	case r.Number != s.reportNumber+1:
		t.fail(fmt.Sprintf("traffic pod %v told report %d where %d was due", s, r.Number, s.reportNumber+1))
		return httpErrorf(409, "report %d is due, not %d", s.reportNumber+1, r.Number)
	case s.totals != nil:
		return httpErrorf(409, "shard %v has ended", s)
	}
	s.lastReport = t.now()
	s.reportNumber, s.through = r.Number, max(s.through, r.Through)
	if r.Fault != "" {
		t.fail(fmt.Sprintf("traffic pod %v: %s", s, r.Fault))
		return nil
	}
	for _, second := range r.Seconds {
		t.merge.add(s.number, second)
		t.recent.add(t.now(), t.clock(time.Duration(second.To)), second.Cells)
	}
	s.totals = r.Totals
	t.flush()
	return nil
}

// clock is a time since the run's start by the clock. The lock is held, and traffic has begun.
func (t *traffic) clock(at time.Duration) time.Time {
	return time.Unix(0, t.commands.Start.Zero).Add(at)
}

// flush notes what every shard has told. The lock is held.
func (t *traffic) flush() {
	const never = time.Duration(1<<63 - 1)
	through, open := never, 0
	for _, s := range t.pods {
		if s.totals == nil {
			through = min(through, s.through)
			open++
		}
	}
	for _, second := range t.merge.pop(through) {
		t.record(t.clock(time.Duration(second.To)), second)
	}
	if open == 0 && t.fault == "" && !t.closed && t.commands.Start != nil {
		t.closed = true
		t.record(t.endTime(), t.totals())
		close(t.ended)
	}
}

// endTime is when the last shard's account ends.
func (t *traffic) endTime() time.Time {
	if t.commands.Stop != nil {
		return time.Unix(0, t.commands.Stop.At)
	}
	last := slices.MaxFunc(append([]*trafficPod{{}}, t.pods...), func(a, b *trafficPod) int { return cmp.Compare(a.through, b.through) })
	return t.clock(last.through)
}

func (t *traffic) totals() event.TrafficTotals {
	sum := event.TrafficTotals{}
	for _, s := range t.pods {
		addTotals(&sum, *s.totals)
	}
	return sum
}

// watch finds shards that have fallen silent.
func (t *traffic) watch() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.commands.Start == nil || t.closed {
		return
	}
	for _, s := range t.pods {
		if quiet := t.now().Sub(s.lastReport); s.totals == nil && quiet > silentAfter {
			t.fail(fmt.Sprintf("traffic pod %v has said nothing for %v", s, quiet.Round(time.Second)))
		}
	}
}

// status tells how the traffic goes.
func (t *traffic) status() client.Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	st := client.Status{Missing: t.missing(), Fault: t.fault}
	for _, s := range t.pods {
		if s.totals != nil {
			st.Done++
		}
	}
	st.Ready = len(t.pods) - len(st.Missing) - st.Done
	return st
}
