package dataplane

import (
	"cmp"
	"slices"
	"time"
)

// windowSeconds is the length of the longest window.
const windowSeconds = 600

// window counts the responses of the last seconds, for gates.
type window struct {
	seconds [windowSeconds]second
}

// second has the counts of one second, indexed by workload × cohorts + cohort.
type second struct {
	number int64
	counts []count
}

type count struct{ n, failed, bad int32 }

// count adds a response at an index below kinds.
func (w *window) count(now time.Duration, kind, kinds, status int, bad bool) {
	number := int64(now / time.Second)
	s := &w.seconds[number%windowSeconds]
	if s.number != number {
		s.number = number
		clear(s.counts)
	}
	if kind >= len(s.counts) {
		s.counts = append(s.counts, make([]count, kinds-len(s.counts))...)
	}
	c := &s.counts[kind]
	c.n++
	if status >= 400 {
		c.failed++
	}
	if bad {
		c.bad++
	}
}

// Recent counts what users of one cohort got recently from one workload of the released service.
type Recent struct {
	Cohort            string
	Workload, Version string
	// N counts requests, Failed those answered 4xx or 5xx, Bad those that users consider bad.
	N, Failed, Bad int
}

// Recent returns what was answered in the last d, in whole seconds and at most ten minutes, by
// workload, version and cohort.
func (p *Plane) Recent(d time.Duration) []Recent {
	last := int64(p.now / time.Second)
	first := max(last-int64(d/time.Second)+1, last-windowSeconds+1, 0)
	var list []Recent
	for number := first; number <= last; number++ {
		s := &p.window.seconds[number%windowSeconds]
		if s.number != number {
			continue
		}
		for kind, c := range s.counts {
			if c.n > 0 {
				list = p.addRecent(list, kind, c)
			}
		}
	}
	slices.SortFunc(list, func(a, b Recent) int {
		return cmp.Or(cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Version, b.Version),
			cmp.Compare(a.Cohort, b.Cohort))
	})
	return list
}

func (p *Plane) addRecent(list []Recent, kind int, c count) []Recent {
	cohort := p.workload.Cohorts[kind%len(p.cohorts)].Name
	workload, version := p.stats.Workload(kind / len(p.cohorts))
	at := slices.IndexFunc(list, func(r Recent) bool {
		return r.Cohort == cohort && r.Workload == workload && r.Version == version
	})
	if at < 0 {
		at = len(list)
		list = append(list, Recent{Cohort: cohort, Workload: workload, Version: version})
	}
	r := &list[at]
	r.N, r.Failed, r.Bad = r.N+int(c.n), r.Failed+int(c.failed), r.Bad+int(c.bad)
	return list
}

// Caller is a kind of client that called a pod.
type Caller struct {
	Pod string
	// TLS is "true" or "no_identity", like the label tls; Identity is the client's.
	TLS      string
	Identity string
	Allowed  bool
	// Reason explains why a client was denied.
	Reason string
	// Last is the time of the last request.
	Last time.Duration
}

// Callers returns the clients that called the meshed pods of a workload of the released service in
// the last d, as seen by the pods' proxies, sorted by pod and identity.
func (p *Plane) Callers(workload string, d time.Duration) []Caller {
	var list []Caller
	for _, pod := range p.pods {
		if !pod.released || pod.removed || pod.Workload != workload {
			continue
		}
		for _, in := range pod.inbound {
			c := Caller{
				Pod: pod.Name, TLS: "no_identity", Identity: in.client.Identity,
				Allowed: in.allows(), Reason: in.verdict.Reason, Last: max(in.lastAllowed, in.lastDenied),
			}
			if c.Identity != "" {
				c.TLS = "true"
			}
			if c.Last >= 0 && c.Last >= p.now-d {
				list = addCaller(list, c)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Caller) int {
		return cmp.Or(cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Identity, b.Identity))
	})
	return list
}

// addCaller merges clients with the same identity and verdict.
func addCaller(list []Caller, c Caller) []Caller {
	for i := range list {
		twin := list[i]
		twin.Last = c.Last
		if twin == c {
			list[i].Last = max(list[i].Last, c.Last)
			return list
		}
	}
	return append(list, c)
}
