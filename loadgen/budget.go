package loadgen

import "time"

// Defaults and bounds of a budget are those of Finagle (twitter/finagle, finagle-core, service/RetryBudget.scala), whose idea it
// is, and which Linkerd's proxy has from there (linkerd2-proxy-api, destination.RetryBudget; tower-rs/tower, retry/budget).
const (
	defaultTTL = 10 * time.Second
	minTTL     = time.Second
	maxTTL     = time.Minute
	maxRatio   = 1000
)

// budgetWindow is the state of a [Budget]: what was sent in the last TTL, in fixed slots. As in Finagle a request leaves the window with
// its slot, between 0.9 and 1 times the TTL after it came.
type budgetWindow struct {
	ratio, reserve float64
	slots          [10]tokens
	// current is the slot that ends at end.
	current    int
	width, end time.Duration
	// sum of all slots.
	sum tokens
}

// tokens counts first attempts and retries.
type tokens struct{ first, retries uint64 }

func newBudgetWindow(b Budget, shards int) *budgetWindow {
	ttl := b.TTL
	if ttl == 0 {
		ttl = defaultTTL
	}
	r := &budgetWindow{ratio: b.Ratio, reserve: b.PerSecond * ttl.Seconds() / float64(shards)}
	r.width = ttl / time.Duration(len(r.slots))
	r.end = r.width
	return r
}

// deposit counts a request.
func (r *budgetWindow) deposit(now time.Duration) {
	r.expire(now)
	r.slots[r.current].first++
	r.sum.first++
}

// withdraw counts a retry, unless there were too many: retries stay within ratio times the requests of the window and the reserve,
// which is PerSecond times TTL.
func (r *budgetWindow) withdraw(now time.Duration) bool {
	r.expire(now)
	if float64(r.sum.retries+1) > float64(r.ratio*float64(r.sum.first))+r.reserve {
		return false
	}
	r.slots[r.current].retries++
	r.sum.retries++
	return true
}

// expire empties the slots that have left the window.
func (r *budgetWindow) expire(now time.Duration) {
	if now < r.end {
		return
	}
	passed := (now-r.end)/r.width + 1
	r.end += passed * r.width
	for range min(int(passed), len(r.slots)) {
		r.current = (r.current + 1) % len(r.slots)
		old := &r.slots[r.current]
		r.sum.first -= old.first
		r.sum.retries -= old.retries
		*old = tokens{}
	}
}
