package loadgen

import "time"

// Defaults and bounds of retry budgets are those of Finagle (twitter/finagle, finagle-core,
// service/RetryBudget.scala), from which Linkerd's proxy took the idea (linkerd2-proxy-api,
// destination.RetryBudget; tower-rs/tower, retry/budget).
const (
	defaultTTL = 10 * time.Second
	minTTL     = time.Second
	maxTTL     = time.Minute
	maxRatio   = 1000
)

// budgetWindow is the state of a [Budget]: the requests of the last TTL in a fixed number of slots.
// As in Finagle, a request leaves the window together with its slot, 0.9 to 1 times the TTL after
// it arrived.
type budgetWindow struct {
	ratio, reserve float64
	slots          [10]tokens
	// current is the index of the slot that ends at end.
	current    int
	width, end time.Duration
	// sum is the total of all slots.
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

// deposit counts a first attempt.
func (r *budgetWindow) deposit(now time.Duration) {
	r.expire(now)
	r.slots[r.current].first++
	r.sum.first++
}

// withdraw counts a retry and reports whether the budget allows it. Retries stay within ratio times
// the requests in the window plus the reserve, which is PerSecond times TTL.
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
