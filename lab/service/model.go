package service

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"coalmine/loadgen/rng"
)

// Model is a compiled behaviour. It is safe for concurrent use; a request's outcome does not depend
// on the order of calls.
type Model struct {
	behaviour Behaviour
	// routes by index; nil if the behaviour has no entry.
	routes []*route
	faults []fault
	// candidates has, at index cohort·len(routes)+route, the set of faults that can hit, bit i for
	// fault i. Conditions on headers and cookies are already applied, except for cohorts whose
	// users differ.
	candidates []uint64
	// perUser has, by cohort, the set of faults whose conditions depend on the user; matches caches
	// them.
	perUser []uint64
	matches *matchCache
	// byRoute is candidates without conditions on headers and cookies, with a last row for requests
	// of unknown cohorts: see [Model.BeginWithHeaders].
	byRoute []uint64

	own, store, failure, calling rng.Stream
}

// route is a compiled [RouteBehaviour].
type route struct {
	own, store rng.Lognormal
	errorRate  float64
	calls      string
	call       *Call // nil for the zero value
	size       int
}

// maxServiceTime is the upper limit of a service's own time, however much its faults multiply it.
const maxServiceTime = 24 * time.Hour

// Compile compiles a behaviour. Errors are those of [Behaviour.Validate], and names that are not in
// the vocabulary. Models with the same seed draw the same random numbers: use a different seed for
// each service, and the same seed for all versions of a service, so that they differ only in
// behaviour.
func Compile(b Behaviour, v Vocabulary, seed uint64) (*Model, error) {
	if err := b.check(v); err != nil {
		return nil, err
	}
	m := &Model{
		behaviour: b, own: rng.New(seed, "app.latency"), store: rng.New(seed, "app.datastore"),
		failure: rng.New(seed, "app.error"), calling: rng.New(seed, "app.call"),
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
	compiled := &route{
		own: rng.NewLognormal(r.Latency.P50, r.Latency.P99), store: rng.NewLognormal(r.Datastore.P50, r.Datastore.P99),
		errorRate: r.ErrorRate, calls: r.Calls, size: cmp.Or(r.Size, DefaultSize),
	}
	if call := r.Call; !call.isZero() {
		call.Share = shareOrOne(call.Share)
		compiled.call = &call
	}
	return compiled
}

// Behaviour returns the behaviour that was compiled. It must not be changed.
func (m *Model) Behaviour() Behaviour { return m.behaviour }

// Begin decides what the service does with a request: a pure function of seed, request and state.
// The service's own time is lognormal ([Latency]), times the warm-up factor, then changed by every
// fault that hits, in order: first multiplied, then added to. Of several statuses the last one
// wins; hold times and leaked memory add up. If another service is called, half of the own time and
// the datastore's time come before the call. A route without an entry is answered 404 at once.
func (m *Model) Begin(r Request, s State) (w Work) {
	m.begin(&w, &r, s, m.candidateFaults(&r))
	return w
}

// begin implements Begin, given the set of faults that can hit the request.
func (m *Model) begin(w *Work, r *Request, s State, set uint64) {
	if int(r.Route) >= len(m.routes) || m.routes[r.Route] == nil {
		w.Status, w.Size = 404, DefaultSize
		return
	}
	rt, n := m.routes[r.Route], r.streamIndex()
	w.Status, w.Calls, w.Call, w.Size = 200, rt.calls, rt.call, rt.size
	if rt.call != nil && !m.calling.Bernoulli(n, rt.call.Share) {
		w.Calls = ""
	}
	if rt.errorRate > 0 && m.failure.Bernoulli(n, rt.errorRate) {
		w.Status = 500
	}
	own := m.behaviour.WarmUp.scale(rt.own.Draw(m.own.Bits(n)), s.Uptime)
	for ; set != 0; set &= set - 1 {
		if f := &m.faults[bits.TrailingZeros64(set)]; f.hits(*r, s, n) {
			own = f.apply(w, own, n)
		}
	}
	w.Before = own + rt.store.Draw(m.store.Bits(n))
	if w.Calls != "" {
		w.After = own / 2
		w.Before -= w.After
	}
}

// Hit returns the names of the faults that hit a request, in order. It recomputes the ground truth
// from a plan.
func (m *Model) Hit(r Request, s State) []string { return m.hit(r, s, m.candidateFaults(&r)) }

func (m *Model) hit(r Request, s State, set uint64) []string {
	var names []string
	for ; set != 0; set &= set - 1 {
		if f := &m.faults[bits.TrailingZeros64(set)]; f.hits(r, s, r.streamIndex()) {
			names = append(names, f.name)
		}
	}
	return names
}

// candidateFaults returns the set of faults that match a request's route, cohort, headers and
// cookies.
func (m *Model) candidateFaults(r *Request) uint64 {
	if int(r.Route) < len(m.routes) && int(r.Cohort) == len(m.perUser) { // of no cohort
		return m.byRoute[int(r.Cohort)*len(m.routes)+int(r.Route)] &^ m.matches.conditional
	}
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

// match sets candidates, perUser and byRoute.
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

// faultsByCohortAndRoute returns the set of faults of each cohort and route, and in a last row
// those of requests of unknown cohorts.
func (m *Model) faultsByCohortAndRoute(v Vocabulary) []uint64 {
	sets := make([]uint64, (len(v.Cohorts)+1)*len(v.Routes))
	for at := range sets {
		c, r := at/len(v.Routes), at%len(v.Routes)
		for i := range m.faults {
			w := m.faults[i].when
			inCohort := len(w.Cohorts) == 0 || c < len(v.Cohorts) && slices.Contains(w.Cohorts, v.Cohorts[c])
			if inCohort && oneOf(w.Routes, v.Routes[r]) {
				sets[at] |= uint64(1) << i
			}
		}
	}
	return sets
}

// oneOf reports whether a list contains a name; an empty list contains all.
func oneOf(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }

// streamIndex returns the index of the request's draws in the random streams. Indices of different
// attempts do not overlap.
func (r *Request) streamIndex() uint64 { return r.Seq ^ uint64(r.Attempt)<<56 }

// scale multiplies a duration by Factor at readiness, falling linearly to 1 at the end of For.
func (u WarmUp) scale(d, uptime time.Duration) time.Duration {
	if uptime >= u.For {
		return d
	}
	cold := 1 - float64(max(uptime, 0))/float64(u.For)
	return scaleCapped(d, 1+float64((u.Factor-1)*cold))
}

// scaleCapped multiplies a duration, up to maxServiceTime.
func scaleCapped(d time.Duration, factor float64) time.Duration {
	return time.Duration(min(float64(d)*factor, float64(maxServiceTime)))
}
