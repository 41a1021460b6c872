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

// traffic is the state of the traffic pods: which are there, their commands, and what they have
// reported.
type traffic struct {
	now    func() time.Time
	record func(at time.Time, f event.Fact)

	mu       sync.Mutex
	pods     []*trafficPod
	commands client.Commands
	// changed is closed when the commands change, ended when every pod has ended or one never will.
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
	number int // index in traffic.pods
	// waiting counts its requests for commands that are waiting.
	waiting   int
	lastHeard time.Time
	// lastReport is when it last reported, reportNumber the number of that report, through the time
	// up to which it has reported.
	lastReport   time.Time
	reportNumber int
	through      time.Duration
	totals       *event.TrafficTotals
}

func (p *trafficPod) String() string { return fmt.Sprintf("%s %d/%d", p.Client, p.Index, p.Count) }

// A waiting pod asks for commands again at once; a sending one reports every second.
const (
	absentAfter = 5 * time.Second
	silentAfter = 15 * time.Second
)

func newTraffic(counts map[string]int, now func() time.Time, note func(time.Time, event.Fact)) *traffic {
	t := &traffic{now: now, record: note, changed: make(chan struct{}), ended: make(chan struct{})}
	t.commands.Generation = 1
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		for i := range counts[name] {
			t.pods = append(t.pods, &trafficPod{TrafficPod: client.TrafficPod{Client: name, Index: i + 1,
				Count: counts[name]}, number: len(t.pods)})
		}
	}
	t.merge = newMerger(len(t.pods))
	return t
}

// httpError is an error with its HTTP status.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string { return e.text }

func httpErrorf(status int, format string, args ...any) error {
	return &httpError{status, fmt.Sprintf(format, args...)}
}

// find returns the calling pod. The lock is held.
func (t *traffic) find(pod client.TrafficPod) (*trafficPod, error) {
	at := slices.IndexFunc(t.pods, func(p *trafficPod) bool {
		return p.Client == pod.Client && p.Index == pod.Index && p.Count == pod.Count
	})
	if at < 0 {
		return nil, httpErrorf(410, "the run has no traffic pod %s %d/%d", pod.Client, pod.Index, pod.Count)
	}
	p := t.pods[at]
	switch {
	case p.Process == pod.Process:
	case t.commands.Start == nil:
		p.Process, p.waiting = pod.Process, 0
	default:
		t.fail(fmt.Sprintf("traffic pod %v was restarted, and its counts are lost", p))
		return nil, httpErrorf(410, "traffic pod %v has started in another process", p)
	}
	p.lastHeard = t.now()
	return p, nil
}

// fail marks the account as incomplete. The lock is held.
func (t *traffic) fail(fault string) {
	if t.fault == "" && !t.closed {
		t.fault = fault
		close(t.ended)
	}
}

// change changes the commands. The lock is held.
func (t *traffic) change(change func(*client.Commands)) {
	change(&t.commands)
	t.commands.Generation++
	close(t.changed)
	t.changed = make(chan struct{})
}

// waitCommands returns commands that are newer than a generation, or the current ones when the
// context or the time ends.
func (t *traffic) waitCommands(ctx context.Context, pod client.TrafficPod, after int,
	limit time.Duration) (client.Commands, error) {
	t.mu.Lock()
	p, err := t.find(pod)
	if err != nil || t.commands.Generation != after {
		defer t.mu.Unlock()
		return t.commands, err
	}
	p.waiting++
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
	if p.Process == pod.Process {
		p.waiting--
		p.lastHeard = t.now()
	}
	return t.commands, nil
}

// missing returns the pods that are not there. The lock is held.
func (t *traffic) missing() []string {
	var list []string
	for _, p := range t.pods {
		if t.commands.Start == nil && p.waiting == 0 &&
			(p.lastHeard.IsZero() || t.now().Sub(p.lastHeard) > absentAfter) {
			list = append(list, p.String())
		}
	}
	return list
}

// start starts the traffic.
func (t *traffic) start(s client.Start) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if started := t.commands.Start; started != nil {
		if *started != s {
			return httpErrorf(409, "the traffic has already started")
		}
		return nil
	}
	if missing := t.missing(); len(missing) > 0 {
		return httpErrorf(409, "traffic pods are missing: %s", strings.Join(missing, ", "))
	}
	if s.Begin < s.Zero {
		return httpErrorf(400, "the traffic starts before the run")
	}
	t.change(func(o *client.Commands) { o.Start = &s })
	for _, p := range t.pods { // silence counts from here on
		p.lastReport = time.Unix(0, max(s.Begin, t.now().UnixNano()))
		p.through = time.Duration(s.Begin - s.Zero)
	}
	t.flush()
	return nil
}

// release tells the pods about the release.
func (t *traffic) release(r client.Release) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.commands.Release == nil {
		t.change(func(o *client.Commands) { o.Release = &r })
	}
}

// released returns when the release was, false before it.
func (t *traffic) released() (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.commands.Release == nil {
		return time.Time{}, false
	}
	return time.Unix(0, t.commands.Release.At), true
}

// stop ends the traffic and waits for the pods' totals, or until it is certain that they will not
// come.
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

// report takes the report of a pod.
func (t *traffic) report(r client.Report) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, err := t.find(r.TrafficPod)
	switch {
	case err != nil:
		return err
	case t.commands.Start == nil:
		return httpErrorf(409, "the traffic has not started")
	case r.Number <= p.reportNumber:
		return nil // a repeated report
	case r.Number != p.reportNumber+1:
		t.fail(fmt.Sprintf("traffic pod %v sent report %d instead of %d", p, r.Number, p.reportNumber+1))
		return httpErrorf(409, "want report %d, got %d", p.reportNumber+1, r.Number)
	case p.totals != nil:
		return httpErrorf(409, "traffic pod %v has ended", p)
	}
	p.lastReport = t.now()
	p.reportNumber, p.through = r.Number, max(p.through, r.Through)
	if r.Fault != "" {
		t.fail(fmt.Sprintf("traffic pod %v: %s", p, r.Fault))
		return nil
	}
	for _, second := range r.Seconds {
		t.merge.add(p.number, second)
		t.recent.add(t.now(), t.clock(time.Duration(second.To)), second.Cells)
	}
	p.totals = r.Totals
	t.flush()
	return nil
}

// clock converts a time since the start of the run. The lock is held, and traffic has started.
func (t *traffic) clock(at time.Duration) time.Time {
	return time.Unix(0, t.commands.Start.Zero).Add(at)
}

// flush records the seconds that every pod has reported. The lock is held.
func (t *traffic) flush() {
	const never = time.Duration(1<<63 - 1)
	through, remaining := never, 0
	for _, p := range t.pods {
		if p.totals == nil {
			through = min(through, p.through)
			remaining++
		}
	}
	for _, s := range t.merge.pop(through) {
		t.record(t.clock(time.Duration(s.To)), s)
	}
	if remaining == 0 && t.fault == "" && !t.closed && t.commands.Start != nil {
		t.closed = true
		t.record(t.endTime(), t.totals())
		close(t.ended)
	}
}

// endTime returns when the traffic ended, for the fact with the totals.
func (t *traffic) endTime() time.Time {
	if t.commands.Stop != nil {
		return time.Unix(0, t.commands.Stop.At)
	}
	last := slices.MaxFunc(append([]*trafficPod{{}}, t.pods...), func(a, b *trafficPod) int {
		return cmp.Compare(a.through, b.through)
	})
	return t.clock(last.through)
}

func (t *traffic) totals() event.TrafficTotals {
	sum := event.TrafficTotals{}
	for _, p := range t.pods {
		addTotals(&sum, *p.totals)
	}
	return sum
}

// watch detects pods that have fallen silent.
func (t *traffic) watch() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.commands.Start == nil || t.closed {
		return
	}
	for _, p := range t.pods {
		if silent := t.now().Sub(p.lastReport); p.totals == nil && silent > silentAfter {
			t.fail(fmt.Sprintf("traffic pod %v has not reported for %v", p, silent.Round(time.Second)))
		}
	}
}

// status returns the progress of the traffic.
func (t *traffic) status() client.Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	st := client.Status{Missing: t.missing(), Fault: t.fault}
	for _, p := range t.pods {
		if p.totals != nil {
			st.Done++
		}
	}
	st.Ready = len(t.pods) - len(st.Missing) - st.Done
	return st
}
