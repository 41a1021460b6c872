package mesh

import (
	"slices"
	"strconv"
	"time"
)

// AppStats are the counters of a demo service itself, for one route, cohort and version. Unlike the
// proxy's counters they tell cohorts apart.
type AppStats struct {
	reg      *Registry
	owner    int
	labels   []Label
	duration Histogram
	statuses []appStatus
	// counts and nanos are of responses that the metrics lack.
	counts  [numApp]uint32
	nanos   int64
	pending bool
}

// appStatus is a counter with the responses that it lacks.
type appStatus struct {
	status int
	n      uint32
	total  Counter
}

// App returns the counters of a service's process. The added labels identify the pod and include
// the label job.
func (r *Registry) App(owner int, added []Label, route, cohort, version string) *AppStats {
	labels := slices.Concat([]Label{{"route", route}, {"cohort", cohort}, {"version", version}},
		slices.DeleteFunc(slices.Clone(added), func(l Label) bool { return l.Name == "version" }))
	return &AppStats{
		reg: r, owner: owner, labels: labels,
		duration: r.Histogram(owner, "app_http_request_duration_seconds", r.bounds.app, labels...),
	}
}

// Response counts a response.
func (a *AppStats) Response(status int, latency time.Duration) {
	at := a.reg.bounds.place(latency)
	a.counts[at.app]++
	a.nanos += int64(latency)
	a.status(status).n++
	a.reg.postpone(a, &a.pending)
}

func (a *AppStats) status(status int) *appStatus {
	for i := range a.statuses {
		if a.statuses[i].status == status {
			return &a.statuses[i]
		}
	}
	labels := slices.Concat(a.labels, []Label{{"status", strconv.Itoa(status)}})
	a.statuses = append(a.statuses, appStatus{
		status: status, total: a.reg.Counter(a.owner, "app_http_requests_total", labels...)})
	return &a.statuses[len(a.statuses)-1]
}

// settle implements [unsettled].
func (a *AppStats) settle() {
	a.pending = false
	a.duration.add(a.counts[:], a.nanos)
	a.counts, a.nanos = [numApp]uint32{}, 0
	for i := range a.statuses {
		if s := &a.statuses[i]; s.n > 0 {
			s.total.add(s.n)
			s.n = 0
		}
	}
}
