package dataplane

import (
	"net/netip"
	"slices"
	"time"

	"coalmine/lab/mesh"
	"coalmine/loadgen/rng"
)

// LoadTest is what a load tester sends beside the users: requests of one kind by some workers, each
// of which waits for a response before it sends again. Its requests pass through the mesh and are
// counted by proxies and services, but they are nobody's: users' cells do not have them, nor gates.
type LoadTest struct {
	// Name identifies it. One of a name runs at a time.
	Name string
	// Client sends it. Service is called by the routes in force.
	Client  Client
	Service string

	Method, Path, Host string
	Headers            []mesh.Header
	// Workers send at most Rate requests per second each; 0 is no limit.
	Workers int
	Rate    float64
	// Duration is how long they send; 0 means until Requests have been sent.
	Duration time.Duration
	Requests int
	// Then follows when it has ended.
	Then []LoadTest
}

// LoadResult is what a load test sent and got.
type LoadResult struct {
	Name, Service string
	From, To      time.Duration
	// Sent counts requests, Answered those with a response, Failed those answered 4xx or 5xx, Canary
	// those that the canary of the released service answered.
	Sent, Answered, Failed, Canary int
}

const (
	// maxLoadRate is the number of requests per second that one load test may send; tools that send
	// as fast as they can would take most of the time of a run.
	maxLoadRate = 500
	// loadTestDelay is how long a load tester takes to start a task (flagger, cmd/loadtester/main.go).
	loadTestDelay = 100 * time.Millisecond
	// loadTestSeq is above the numbers of all requests of a plan.
	loadTestSeq = 1 << 44
	// loadTestCohort is the cohort of load tests in the services' own metrics.
	loadTestCohort = "load-tester"
)

// loadTest is a running load test.
type loadTest struct {
	LoadTest
	id       int32
	from     *pod
	service  *meshService
	route    uint16
	template requestTemplate
	// pause is the least time between two requests of a worker; next has when each may send again.
	pause time.Duration
	next  []time.Duration
	ends  time.Duration
	// active counts the workers that have not ended.
	active int
	result LoadResult
}

// ofLoadTest reports whether a hop is a part of a request of a load test.
func (p *Plane) ofLoadTest(h *hop) bool { return int(h.request.Cohort) >= len(p.cohorts) }

// HasService reports whether a Service exists.
func (p *Plane) HasService(name string) bool {
	s := p.services[serviceKey{p.cfg.Namespace, name}]
	return s != nil && s.exists
}

// StartLoad starts a load test shortly after a time. It reports false if one of its name runs.
func (p *Plane) StartLoad(l LoadTest, now time.Duration) bool {
	if slices.ContainsFunc(p.loadTests, func(t *loadTest) bool { return t.active > 0 && t.Name == l.Name }) {
		return false
	}
	p.startLoad(l, max(now, p.now)+loadTestDelay)
	return true
}

func (p *Plane) startLoad(l LoadTest, at time.Duration) {
	t := &loadTest{LoadTest: l, from: p.loadPod(l.Client), service: p.service(p.cfg.Namespace, l.Service),
		active: l.Workers, next: make([]time.Duration, l.Workers), ends: never}
	t.route = p.routeOf(t.service, l.Path)
	path, query := splitPath(l.Path)
	t.template = requestTemplate{method: l.Method, path: path, query: query, service: t.service}
	t.pause = time.Duration(l.Workers) * time.Second / maxLoadRate
	first := at
	if l.Rate > 0 {
		t.pause = max(t.pause, time.Duration(float64(time.Second)/l.Rate))
		first = at + t.pause // a tick precedes each request (github.com/rakyll/hey, requester)
	}
	if l.Duration > 0 {
		t.ends = at + l.Duration
	}
	t.result = LoadResult{Name: l.Name, Service: l.Service, From: at}
	t.id = int32(len(p.loadTests))
	p.loadTests = append(p.loadTests, t)
	for worker := range l.Workers {
		p.events.add(first, loadTestDue, t.id, uint32(worker))
	}
}

// loadPod returns the pod of a load tester.
func (p *Plane) loadPod(c Client) *pod {
	if p.loadPods == nil {
		p.loadPods = map[Client]*pod{}
	}
	if p.loadPods[c] == nil {
		addr := netip.AddrFrom4([4]byte{10, 43, 254, byte(len(p.loadPods) + 1)})
		p.loadPods[c] = p.addPod(clientPod(c, 0, addr), false)
	}
	return p.loadPods[c]
}

// routeOf returns the route of the workload whose path a load test calls, or else the first that the
// pods of the Service know: its answers depend on it.
func (p *Plane) routeOf(s *meshService, path string) uint16 {
	path, _ = splitPath(path)
	for i, t := range p.templates {
		if t.path == path {
			return uint16(i)
		}
	}
	for _, d := range p.pods {
		if d.Model == nil || d.removed || !s.selects(d) {
			continue
		}
		known := d.Model.Behaviour().Routes
		for i, r := range p.workload.Routes {
			_, named := known[r.Name]
			if _, any := known[""]; any || named {
				return uint16(i)
			}
		}
	}
	return 0
}

// sendLoad sends the next request of a worker.
func (p *Plane) sendLoad(t *loadTest, worker int) {
	if p.now >= t.ends || t.Requests > 0 && t.result.Sent >= t.Requests {
		p.endWorker(t)
		return
	}
	t.result.Sent++
	t.next[worker] = p.now + t.pause
	p.loadsSent++
	h := p.newHop()
	h.request.Seq, h.request.Cohort, h.request.Route = loadTestSeq+p.loadsSent, uint16(len(p.cohorts)), t.route
	h.request.User = uint32(rng.New(p.cfg.Seed, "dataplane/loadtest").Bits(p.loadsSent))
	h.firstSent, h.from, h.service, h.load, h.worker = p.now, t.from, t.service, t, worker
	p.send(h)
}

// loadReplied is called when a load tester has the response to a request.
func (p *Plane) loadReplied(h *hop, status int) {
	t, worker := h.load, h.worker
	t.result.Answered++
	if status == 0 || status >= 400 {
		t.result.Failed++
	}
	if name, _ := p.stats.Workload(h.servedBy); name == p.cfg.Service {
		t.result.Canary++
	}
	p.recycle(h)
	if t.active == 0 {
		return // it was ended
	}
	p.events.add(max(p.now, t.next[worker]), loadTestDue, t.id, uint32(worker))
}

// endWorker ends a worker, and with the last one the load test.
func (p *Plane) endWorker(t *loadTest) {
	if t.active == 0 {
		return
	}
	if t.active--; t.active > 0 {
		return
	}
	p.endLoad(t)
	if len(t.Then) > 0 {
		next := t.Then[0]
		next.Then = t.Then[1:]
		p.startLoad(next, p.now)
	}
}

func (p *Plane) endLoad(t *loadTest) {
	t.active = 0
	t.result.To = min(p.now, t.ends)
	p.loadResults = append(p.loadResults, t.result)
}

// endLoads ends the load tests that run.
func (p *Plane) endLoads() {
	for _, t := range p.loadTests {
		if t.active > 0 {
			p.endLoad(t)
		}
	}
}

// LoadResults returns the results of the load tests that have ended since the last call.
func (p *Plane) LoadResults() []LoadResult {
	list := p.loadResults
	p.loadResults = nil
	return list
}
