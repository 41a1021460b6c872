package loadgen

import (
	"fmt"
	"time"
)

// maxWait bounds the wait before an attempt.
const maxWait = time.Hour

func (r *Retry) check(f *findings, path string) {
	if r.Attempts < 1 || r.Attempts > maxAttempts {
		f.add(path+".attempts", "%d is not between 1 and %d, including the first attempt", r.Attempts, maxAttempts)
	}
	if r.Base <= 0 || r.Base > maxWait {
		f.add(path+".base", "%v is not between 1ns and %v", r.Base, maxWait)
	}
	if r.Max < r.Base || r.Max > maxWait {
		f.add(path+".max", "%v is not between base (%v) and %v", r.Max, r.Base, maxWait)
	}
	if !(r.Jitter >= 0 && r.Jitter <= 1) {
		f.add(path+".jitter", "%g is not between 0 and 1", r.Jitter)
	}
	seen := map[int]bool{}
	for i, status := range r.On {
		at := fmt.Sprintf("%s.on[%d]", path, i)
		if status < 400 || status > 599 {
			f.add(at, "%d is not an error status; write 400 to 599", status)
		} else if seen[status] {
			f.add(at, "%d is a duplicate", status)
		}
		seen[status] = true
	}
	if r.Budget != nil {
		r.Budget.check(f, path+".budget")
	}
}

func (b *Budget) check(f *findings, path string) {
	if !(b.Ratio >= 0 && b.Ratio <= maxRatio) {
		f.add(path+".ratio", "%g is not between 0 and %d", b.Ratio, maxRatio)
	}
	checkRate(f, path+".perSecond", b.PerSecond)
	if b.TTL != 0 && (b.TTL < minTTL || b.TTL > maxTTL) {
		f.add(path+".ttl", "%v is not between %v and %v", b.TTL, minTTL, maxTTL)
	}
	if b.Ratio == 0 && b.PerSecond == 0 {
		f.add(path, "allows no retries; set ratio or perSecond, or omit the budget for no limit")
	}
}
