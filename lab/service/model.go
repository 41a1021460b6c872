package service

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"coalmine/loadgen/rng"
)

// Model is a behaviour made ready for millions of requests. It may be used by several goroutines at once; a request's fate
// does not depend on the order of calls.
type Model struct {
	behaviour Behaviour
	// routes by index; nil where the behaviour has no entry.
	routes []*route
	faults []fault
	// candidates has, for cohort·len(routes)+route, the faults that can hit, bit i for fault i. What a header or cookie
	// decides is in it already, but for cohorts whose users differ.
	candidates []uint64
	// perUser, by cohort, has the faults that a header or cookie decides user by user; matches remembers how.
	perUser []uint64
	matches *matchCache
	// byRoute is candidates before any header or cookie decides, with a last row for requests of no cohort: see [Model.BeginSent].
	byRoute []uint64

	own, store, failure rng.Stream
}

// route is a healthy route made ready.
type route struct {
	own, store rng.Lognormal
	errorRate  float64
	calls      string
	size       int
}

// maxServiceTime is the most time that a service takes for itself, however its faults multiply.
const maxServiceTime = 24 * time.Hour

// Compile makes a model of a valid behaviour. Errors are those of [Behaviour.Validate], and names that the vocabulary
// does not have. Models with the same seed draw alike: give every service a seed of its own, and the versions of a service the
// same one, so that they differ by what was changed only.
func Compile(b Behaviour, v Vocabulary, seed uint64) (*Model, error) {
	if err := b.check(v); err != nil {
		return nil, err
	}
	m := &Model{
		behaviour: b, own: rng.New(seed, "app.latency"), store: rng.New(seed, "app.datastore"),
		failure: rng.New(seed, "app.error"),
	}
	for _, name := range v.Routes {
		m.routes = append(m.routes, newRoute(b.Routes, name))
	}
	for _, f := range b.Faults {
		m.faults = append(m.faults, newFault(f, seed))
	}
	m.match(v)
	return m, nil
}

func newRoute(routes map[string]RouteBehaviour, name string) *route {
	r, ok := routes[name]
	if !ok {
		if r, ok = routes[""]; !ok {
			return nil
		}
	}
	return &route{
		own: rng.NewLognormal(r.Latency.P50, r.Latency.P99), store: rng.NewLognormal(r.Datastore.P50, r.Datastore.P99),
		errorRate: r.ErrorRate, calls: r.Calls, size: cmp.Or(r.Size, DefaultSize),
	}
}

// Behaviour returns what the model was made from. It must not be changed.
func (m *Model) Behaviour() Behaviour { return m.behaviour }

// Begin decides what the service does with a request: a pure function of seed, request and state. The service's own time
// is lognormal ([Latency]), times the warm-up factor, then changed by every fault that hits, in their order: first
// multiplied, then added to. Of several statuses the last counts; held time and lost memory add up. With a call to make,
// half of the own time and the datastore's come before it. A route that the behaviour does not have is answered 404 at once.
func (m *Model) Begin(r Request, s State) (w Work) {
	m.begin(&w, r, s, m.candidateFaults(r))
	return w
}

// begin is Begin for a request that a set of faults can hit.
func (m *Model) begin(w *Work, r Request, s State, set uint64) {
	if int(r.Route) >= len(m.routes) || m.routes[r.Route] == nil {
		w.Status, w.Size = 404, DefaultSize
		return
	}
	rt, n := m.routes[r.Route], r.streamIndex()
	w.Status, w.Calls, w.Size = 200, rt.calls, rt.size
	if rt.errorRate > 0 && m.failure.Bernoulli(n, rt.errorRate) {
		w.Status = 500
	}
	own := m.behaviour.WarmUp.scale(rt.own.Draw(m.own.Bits(n)), s.Uptime)
	for ; set != 0; set &= set - 1 {
		if f := &m.faults[bits.TrailingZeros64(set)]; f.hits(r, s, n) {
			own = f.apply(w, own, n)
		}
	}
	w.Before = own + rt.store.Draw(m.store.Bits(n))
	if w.Calls != "" {
		w.After = own / 2
		w.Before -= w.After
	}
}

// Hit names the faults that touch a request, in their order; nil for none. It is the truth, to be recomputed from a plan.
func (m *Model) Hit(r Request, s State) []string { return m.hit(r, s, m.candidateFaults(r)) }

func (m *Model) hit(r Request, s State, set uint64) []string {
	var names []string
	for ; set != 0; set &= set - 1 {
		if f := &m.faults[bits.TrailingZeros64(set)]; f.hits(r, s, r.streamIndex()) {
			names = append(names, f.name)
		}
	}
	return names
}

// candidateFaults has the faults that can hit a request, as far as routes, cohorts, headers and cookies decide.
func (m *Model) candidateFaults(r Request) uint64 {
	at := int(r.Cohort)*len(m.routes) + int(r.Route)
	if int(r.Route) >= len(m.routes) || at >= len(m.candidates) {
		return 0
	}
	set := m.candidates[at]
	if ask := set & m.perUser[r.Cohort]; ask != 0 {
		set &^= ask &^ m.matches.lookup(r.Cohort, r.User)
	}
	return set
}

// match fills in candidates, personal and open.
func (m *Model) match(v Vocabulary) {
	m.matches = newMatches(m.faults, v)
	m.candidates = make([]uint64, len(v.Cohorts)*len(v.Routes))
	m.perUser = make([]uint64, len(v.Cohorts))
	m.byRoute = m.faultsByCohortAndRoute(v)
	for c := range v.Cohorts {
		matched := m.matches.conditional
		if matched != 0 && (v.PerUser == nil || v.PerUser(uint16(c))) {
			m.perUser[c] = matched
		} else {
			matched = m.matches.compute(uint16(c), 0)
		}
		row := m.candidates[c*len(v.Routes):][:len(v.Routes)]
		for r := range row {
			row[r] = m.byRoute[c*len(v.Routes)+r] &^ (m.matches.conditional &^ matched)
		}
	}
}

// faultsByCohortAndRoute has the faults of each cohort and route, and in a last row those of requests of no cohort.
func (m *Model) faultsByCohortAndRoute(v Vocabulary) []uint64 {
	open := make([]uint64, (len(v.Cohorts)+1)*len(v.Routes))
	for at := range open {
		c, r := at/len(v.Routes), at%len(v.Routes)
		for i := range m.faults {
			w := m.faults[i].when
			inCohort := len(w.Cohorts) == 0 || c < len(v.Cohorts) && slices.Contains(w.Cohorts, v.Cohorts[c])
			if inCohort && oneOf(w.Routes, v.Routes[r]) {
				open[at] |= uint64(1) << i
			}
		}
	}
	return open
}

// oneOf tells whether a list has a name; an empty list has all.
func oneOf(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }

// streamIndex is the place of a request's draws in their streams: attempts are far apart from each other.
func (r Request) streamIndex() uint64 { return r.Seq ^ uint64(r.Attempt)<<56 }

// scale multiplies a duration: by Factor for a pod that is ready just now, falling linearly to 1 at the end of For.
func (u WarmUp) scale(d, uptime time.Duration) time.Duration {
	if uptime >= u.For {
		return d
	}
	cold := 1 - float64(max(uptime, 0))/float64(u.For)
	return scaleCapped(d, 1+float64((u.Factor-1)*cold))
}

// scaleCapped stays within longest.
func scaleCapped(d time.Duration, factor float64) time.Duration {
	return time.Duration(min(float64(d)*factor, float64(maxServiceTime)))
}
