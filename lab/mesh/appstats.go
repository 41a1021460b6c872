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
	statuses []routeStatus
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
	a.duration.observe(at.app, int64(latency))
	for i := range a.statuses {
		if a.statuses[i].status == status {
			a.statuses[i].total.Inc()
			return
		}
	}
	labels := slices.Concat(a.labels, []Label{{"status", strconv.Itoa(status)}})
	s := routeStatus{status: status, total: a.reg.Counter(a.owner, "app_http_requests_total", labels...)}
	s.total.Inc()
	a.statuses = append(a.statuses, s)
}
