package mesh

import "time"

// Path counts the responses that pass a server's proxy and a client's, as [Inbound.Response],
// [Outbound.Response], [BackendStats.Response] and [RouteStats.Response] do with the same latency. These
// touch some thirty numbers, so those of the path are added to them only when they are asked for.
type Path struct {
	reg     *Registry
	in      *Inbound
	out     *Outbound
	backend *BackendStats
	route   *RouteStats

	statuses []pathStatus
	last     time.Duration
	// pending is set while the path has counts to be added.
	pending bool
}

// pathStatus has the responses with one status by bucket, and the sums of their latencies.
type pathStatus struct {
	status        int
	n             uint32
	nanos, millis int64
	request       [numRequest]uint32
	response      [numResponse]uint32
	latency       [numLatency]uint32
}

// Path returns the counters for the way from a client by a route and a backend to a server.
func (r *Registry) Path(in *Inbound, out *Outbound, route *RouteStats, backend *BackendStats) *Path {
	return &Path{reg: r, in: in, out: out, route: route, backend: backend}
}

// Response counts a response. The first with a status is counted at once, so that series begin in the
// order of what is recorded first.
func (p *Path) Response(now time.Duration, status int, latency time.Duration) {
	for i := range p.statuses {
		if s := &p.statuses[i]; s.status == status {
			p.reg.postpone(p, &p.pending)
			p.last = now
			s.count(p.reg.bounds.place(latency))
			return
		}
	}
	p.in.Response(now, status, latency)
	p.out.Response(now, status, latency)
	p.backend.Response(status, "", latency)
	p.route.Response(status, "", latency)
	p.statuses = append(p.statuses, pathStatus{status: status})
}

func (s *pathStatus) count(at *placed) {
	s.n++
	s.nanos += int64(at.time)
	s.millis += at.millis
	s.request[at.request]++
	s.response[at.response]++
	s.latency[at.latency]++
}

// settle implements [unsettled].
func (p *Path) settle() {
	p.pending = false
	for i := range p.statuses {
		s := &p.statuses[i]
		if s.n == 0 {
			continue
		}
		p.in.add(p.last, s)
		p.out.add(p.last, s)
		p.backend.duration.add(s.response[:], s.nanos)
		counterOf(p.backend.statuses, s.status).add(s.n)
		p.route.duration.add(s.request[:], s.nanos)
		counterOf(p.route.statuses, s.status).add(s.n)
		*s = pathStatus{status: s.status}
	}
}

func (s *targetStats) add(last time.Duration, counted *pathStatus) {
	*s.lastUsed = max(*s.lastUsed, last)
	r := s.status(counted.status)
	r.total.add(counted.n)
	r.latency.add(counted.latency[:], counted.millis)
}

func (in *Inbound) add(last time.Duration, s *pathStatus) {
	in.route.request.add(s.response[:], s.nanos)
	in.route.response.add(s.request[:], s.nanos)
	counterOf(in.route.statuses, s.status).add(s.n)
	in.targetStats.add(last, s)
}

// counterOf returns the counter of a status that was counted before.
func counterOf(known []routeStatus, status int) Counter {
	for _, s := range known {
		if s.status == status && s.err == "" {
			return s.total
		}
	}
	panic("mesh: the first response with a status was not counted")
}
