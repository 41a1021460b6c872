package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"time"

	"coalmine/loadgen/rng"
)

// Plan is the list of arrivals of a workload. The list is not stored: a [Cursor] computes it
// arrival by arrival. A plan is safe for concurrent use.
type Plan struct {
	workload Workload
	seed     uint64
	duration time.Duration
	segments []segment
	bursts   burstModel
	// singleShare is the share of requests outside of sessions; cohorts draws their cohort.
	singleShare float64
	cohorts     alias
	// Indexed by cohort: the route mix of requests outside of sessions, the user range, and the
	// item picker, which is nil for a cohort without items.
	mixes       []mix
	users       []userRange
	itemPickers []*itemPicker
	// hasItem marks the routes with an item in path or body, isVaried those with a placeholder in
	// the path. usesItems and sequential are set if any cohort has items, or takes them in sequence.
	hasItem, isVaried     []bool
	usesItems, sequential bool
	// sessionCohorts are the cohorts with sessions.
	sessionCohorts []*sessionCohort
	// log is the replayed log, or nil for a plan of random draws.
	log *replayLog
	// agents holds the user agents of a log, by user; nil without a log.
	agents []string
	// only marks the cohorts whose arrivals are played; nil means all.
	only []bool
	// fixedHeaders holds the headers of cohorts whose users all send the same.
	fixedHeaders [][]Pair

	// Random streams. gaps and thin are indexed by candidate number; cohort, route, user and item
	// by number among the requests outside of sessions; cacheBusters by Seq; cookieShuffle by user.
	gaps, thin, cohort, route, user, item, cookieShuffle, cacheBusters rng.Stream
}

// mix is a cohort's distribution over routes.
type mix struct {
	table  alias
	routes []uint16
}

// draw maps a random word to a route.
func (m *mix) draw(word uint64) uint16 { return m.routes[m.table.draw(word)] }

// userRange is a contiguous range of user numbers. If perArrival is set, each arrival or session
// gets a user of its own.
type userRange struct {
	first, count uint32
	perArrival   bool
}

// NewPlan returns the plan of a workload: a pure function of workload, seed and duration. A longer
// duration extends the plan of a shorter one. The error is that of [Workload.Validate], or says
// that the duration is out of range, or that the lines of a log are missing or cannot be played.
func NewPlan(w Workload, seed uint64, d time.Duration) (*Plan, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	if err := w.checkDuration(d); err != nil {
		return nil, err
	}
	p := &Plan{
		workload: w.withDefaults(), seed: seed, duration: d, segments: w.Rate.segments(), users: w.userRanges(),
		gaps: rng.New(seed, "loadgen.gaps"), thin: rng.New(seed, "loadgen.thin"),
		cohort: rng.New(seed, "loadgen.cohort"), route: rng.New(seed, "loadgen.route"),
		user: rng.New(seed, "loadgen.user"), cookieShuffle: rng.New(seed, "loadgen.cookies"),
		item: rng.New(seed, "loadgen.item"), cacheBusters: rng.New(seed, "loadgen.busters"),
		bursts: burstModel{w.Bursts, rng.New(seed, "loadgen.bursts"), rng.New(seed, "loadgen.bursts.past")},
	}
	if w.Replay != nil {
		if err := p.replay(); err != nil {
			return nil, err
		}
	} else {
		p.compileCohorts()
		p.compileRoutes()
	}
	p.computeFixedHeaders()
	return p, nil
}

// compileCohorts compiles the cohorts' mixes, sessions and items.
func (p *Plan) compileCohorts() {
	shares, w, numbers := make([]float64, len(p.workload.Cohorts)), &p.workload, map[string]int{}
	for i, r := range w.Routes {
		numbers[r.Name] = i
	}
	p.mixes = make([]mix, len(w.Cohorts))
	for i, c := range w.Cohorts {
		switch {
		case c.Session != nil && c.Share > 0:
			p.sessionCohorts = append(p.sessionCohorts, newSessionCohort(w, i, numbers, p.seed))
		case c.Session == nil:
			shares[i] = c.Share
			p.singleShare += c.Share
			p.mixes[i] = c.mix(numbers)
		}
		p.itemPickers = append(p.itemPickers, newItemPicker(c.Items))
		p.usesItems = p.usesItems || c.Items != nil
		p.sequential = p.sequential || c.Items != nil && c.Items.Sequential
	}
	if len(p.sessionCohorts) == 0 {
		p.singleShare = 1 // up to rounding
	}
	if p.singleShare > 0 {
		p.cohorts = newAlias(shares)
	}
}

// compileRoutes finds the routes with placeholders.
func (p *Plan) compileRoutes() {
	for _, r := range p.workload.Routes {
		p.hasItem = append(p.hasItem, r.itemPart() != "")
		p.isVaried = append(p.isVaried, r.VariesPath())
	}
}

// mix compiles the mix of a cohort without sessions.
func (c *Cohort) mix(numbers map[string]int) mix {
	if c.Zipf == nil {
		return newMix(numbers, c.Mix)
	}
	weights := map[string]float64{}
	for rank, w := range zipfWeights(len(c.Zipf.Routes), c.Zipf.Exponent) {
		weights[c.Zipf.Routes[rank]] = w
	}
	return newMix(numbers, weights)
}

// newMix builds a mix from weights by route name. It follows the order of the workload's routes,
// because maps have none.
func newMix(numbers map[string]int, weights map[string]float64) mix {
	var m mix
	for name, w := range weights {
		if w > 0 {
			m.routes = append(m.routes, uint16(numbers[name]))
		}
	}
	slices.Sort(m.routes)
	list := make([]float64, len(m.routes))
	for name, w := range weights {
		if i, ok := slices.BinarySearch(m.routes, uint16(numbers[name])); ok && w > 0 {
			list[i] = w
		}
	}
	m.table = newAlias(list)
	return m
}

// userRanges assigns user numbers: first to cohorts with a fixed number of users, in order; the
// others share the remaining numbers evenly.
func (w Workload) userRanges() []userRange {
	ranges := make([]userRange, len(w.Cohorts))
	next, fresh := uint64(0), uint64(0)
	for i, c := range w.Cohorts {
		if c.Users == 0 {
			fresh++
			continue
		}
		ranges[i] = userRange{first: uint32(next), count: uint32(c.Users)}
		next += uint64(c.Users)
	}
	for i, c := range w.Cohorts {
		if c.Users == 0 {
			span := (math.MaxUint32 - next) / fresh
			ranges[i] = userRange{first: uint32(next), count: uint32(span), perArrival: true}
			next, fresh = next+span, fresh-1
		}
	}
	return ranges
}

// Workload returns what the plan was made from, with defaults filled in and with the cohort and
// route that a log may add (see [Replay]). The caller must not change it.
func (p *Plan) Workload() Workload { return p.workload }

// Cohorts returns the workload's cohorts, indexed by [Arrival.Cohort]. The caller must not change
// them.
func (p *Plan) Cohorts() []Cohort { return p.workload.Cohorts }

// Routes returns the workload's routes, indexed by [Arrival.Route]. The caller must not change
// them.
func (p *Plan) Routes() []Route { return p.workload.Routes }

// Duration returns the length of the plan. Arrivals are in [0, Duration).
func (p *Plan) Duration() time.Duration { return p.duration }

// Expected returns the mean number of arrivals over all seeds. It neglects that the requests of
// sessions lag behind a changing rate.
func (p *Plan) Expected() float64 {
	if p.log != nil {
		return float64(p.log.count(p.duration))
	}
	return p.workload.Rate.Integral(p.duration) * p.workload.Bursts.mean()
}

// Mean returns the mean rate in requests per second, including bursts.
func (p *Plan) Mean() float64 {
	switch {
	case p.duration > 0:
		return p.Expected() / p.duration.Seconds()
	case p.log != nil:
		return 0
	}
	return p.workload.Rate.At(0) * p.workload.Bursts.mean()
}

// Users returns the range of user numbers of a cohort. For a cohort without a fixed number of users
// it is the range reserved for it, in which numbers repeat only after some billion arrivals: the
// n-th session of the plan, counted from 0, has user first + n mod count, and so has the n-th
// request outside of sessions. For a replayed log it has the users of the log.
func (p *Plan) Users(cohort int) (first, count uint32) {
	return p.users[cohort].first, p.users[cohort].count
}

// Digest returns a hash over every arrival of the plan; equal digests mean equal traffic. It
// includes sessions and items if the plan has them, and what the lines of a log request.
func (p *Plan) Digest() string {
	h := sha256.New()
	line := make([]byte, 0, 32)
	for c := p.Arrivals(); ; {
		a, ok := c.Next()
		if !ok {
			return hex.EncodeToString(h.Sum(nil))
		}
		line = binary.LittleEndian.AppendUint64(line[:0], uint64(a.At))
		line = binary.LittleEndian.AppendUint64(line, a.Seq)
		line = binary.LittleEndian.AppendUint32(line, a.User)
		line = binary.LittleEndian.AppendUint16(line, a.Cohort)
		line = binary.LittleEndian.AppendUint16(line, a.Route)
		if len(p.sessionCohorts) > 0 {
			line = binary.LittleEndian.AppendUint32(line, a.Session)
		}
		if p.usesItems || p.log != nil {
			line = binary.LittleEndian.AppendUint32(line, a.Item)
		}
		if p.log != nil {
			line = append(append(append(line, p.Method(a)...), ' '), p.Target(a)...)
		}
		h.Write(line)
	}
}
