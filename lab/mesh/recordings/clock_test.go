package recordings

import (
	"container/heap"
	"time"
)

// clock is virtual time: functions that run at an instant, in the order in which they were added.
type clock struct {
	now   time.Duration
	queue timers
	added int
}

type timer struct {
	at    time.Duration
	order int
	f     func()
}

type timers []timer

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	return t[i].at < t[j].at || t[i].at == t[j].at && t[i].order < t[j].order
}
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)   { *t = append(*t, x.(timer)) }
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

// after runs f after a time.
func (c *clock) after(d time.Duration, f func()) {
	c.added++
	heap.Push(&c.queue, timer{c.now + max(d, 0), c.added, f})
}

// run plays until done returns true, at most for a time. It reports whether done did.
func (c *clock) run(limit time.Duration, done func() bool) bool {
	end := c.now + limit
	for !done() {
		if c.queue.Len() == 0 || c.queue[0].at > end {
			c.now = end
			return done()
		}
		next := heap.Pop(&c.queue).(timer)
		c.now = next.at
		next.f()
	}
	return true
}

// pass lets time pass.
func (c *clock) pass(d time.Duration) { c.run(d, func() bool { return false }) }
