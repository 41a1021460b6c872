package service

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"time"
)

// Limits of a behaviour.
const (
	// maxFaults leaves one bit of a word for computedBit.
	maxFaults   = 63
	maxLatency  = time.Hour
	maxCapacity = 1 << 20
	maxMultiply = 1e6
)

// findings collects errors, each with the path of its field.
type findings []error

func (f *findings) add(path, format string, args ...any) {
	*f = append(*f, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// within checks that a number is from 0 to limit.
func (f *findings) within(path string, x, limit float64) {
	if !(x >= 0 && x <= limit) {
		f.add(path, "%g is not between 0 and %g", x, limit)
	}
}

// count checks that a number is from 0 to maxCapacity.
func (f *findings) count(path string, n int) {
	if n < 0 || n > maxCapacity {
		f.add(path, "%d is not between 0 and %d", n, maxCapacity)
	}
}

// amount checks that a number is finite and not negative.
func (f *findings) amount(path string, x float64) {
	if !(x >= 0) || math.IsInf(x, 0) {
		f.add(path, "%g is not a finite number of 0 or more", x)
	}
}

// time checks that a duration is from 0 to maxServiceTime.
func (f *findings) time(path string, d time.Duration) {
	if d < 0 || d > maxServiceTime {
		f.add(path, "%v is not between 0s and %v", d, maxServiceTime)
	}
}

// Validate returns all errors, joined, each of which starts with the path of its field.
func (b Behaviour) Validate() error {
	var f findings
	if len(b.Routes) == 0 {
		f.add("routes", `is empty; an entry named "" applies to every route`)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Routes)) {
		b.Routes[name].check(&f, fmt.Sprintf("routes[%q]", name))
	}
	b.checkPod(&f)
	if len(b.Faults) > maxFaults {
		f.add("faults", "has %d entries, at most %d are allowed", len(b.Faults), maxFaults)
	}
	seen := map[string]bool{}
	for i, x := range b.Faults {
		path := fmt.Sprintf("faults[%d]", i)
		if x.Name == "" || seen[x.Name] {
			f.add(path+".name", "%q is empty or a duplicate", x.Name)
		}
		seen[x.Name] = true
		f.within(path+".share", x.Share, 1)
		x.When.check(&f, path+".when")
		x.Effect.check(&f, path+".effect")
	}
	return errors.Join(f...)
}

func (b Behaviour) checkPod(f *findings) {
	f.count("capacity.concurrency", b.Capacity.Concurrency)
	f.count("capacity.queue", b.Capacity.Queue)
	if b.Capacity.Queue > 0 && b.Capacity.Concurrency == 0 {
		f.add("capacity.queue", "%d has no effect without concurrency; set concurrency", b.Capacity.Queue)
	}
	f.time("warmUp.for", b.WarmUp.For)
	if b.WarmUp.For > 0 && !(b.WarmUp.Factor >= 1 && b.WarmUp.Factor <= maxMultiply) {
		f.add("warmUp.factor", "%g is not between 1 and %g", b.WarmUp.Factor, maxMultiply)
	}
	f.amount("memory.base", b.Memory.Base)
	f.amount("memory.limit", b.Memory.Limit)
	if b.Memory.Limit > 0 && b.Memory.Base >= b.Memory.Limit {
		f.add("memory.base", "%g MiB is not below the limit of %g MiB: the pod is always killed",
			b.Memory.Base, b.Memory.Limit)
	}
	f.time("startUp", b.StartUp)
}

func (r RouteBehaviour) check(f *findings, path string) {
	r.Latency.check(f, path+".latency")
	r.Datastore.check(f, path+".datastore")
	f.within(path+".errorRate", r.ErrorRate, 1)
	r.checkCall(f, path)
	if r.Size < 0 || r.Size > MaxSize {
		f.add(path+".size", "%d is not between 0 and %d bytes", r.Size, MaxSize)
	}
}

func (l Latency) check(f *findings, path string) {
	switch {
	case l == Latency{}:
	case l.P50 <= 0:
		f.add(path+".p50", "%v is not positive", l.P50)
	case l.P99 < l.P50:
		f.add(path+".p99", "%v is less than p50, %v; write the same value for a constant latency", l.P99, l.P50)
	case l.P99 > maxLatency:
		f.add(path+".p99", "%v is more than %v", l.P99, maxLatency)
	}
}

func (w When) check(f *findings, path string) {
	f.within(path+".users", w.Users, 1)
	f.within(path+".weight", w.Weight, 100)
	f.count(path+".load", w.Load)
	f.time(path+".uptime", w.Uptime)
	w.Header.check(f, path+".header")
	w.Cookie.check(f, path+".cookie")
}

func (n *NameMatch) check(f *findings, path string) {
	if n == nil {
		return
	}
	if n.Name == "" {
		f.add(path+".name", "is empty")
	}
	if n.Value == "" {
		f.add(path+".value", "is empty; .+ matches any value")
	}
	if _, err := regexp.Compile(n.Value); err != nil {
		f.add(path+".value", "%q is not a valid Go regular expression (RE2): %v", n.Value, err)
	}
}

func (e Effect) check(f *findings, path string) {
	if (e == Effect{}) {
		f.add(path, "is empty; a fault needs an effect")
	}
	if e.Status != 0 && (e.Status < 200 || e.Status > 599) {
		f.add(path+".status", "%d is not a final HTTP status, 200 to 599", e.Status)
	}
	if e.WrongBody && e.Status != 0 && e.Status != 200 {
		f.add(path+".status", "%d conflicts with wrongBody, which answers 200", e.Status)
	}
	if e.AddLatency != nil {
		e.AddLatency.check(f, path+".addLatency")
	}
	f.within(path+".multiplyLatency", e.MultiplyLatency, maxMultiply)
	f.amount(path+".growMemory", e.GrowMemory)
	f.time(path+".hold", e.Hold)
}
