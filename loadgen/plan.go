package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"coalmine/loadgen/chance"
)

// Plan is the list of arrivals of a workload. It is not stored: a [Cursor] computes it arrival by arrival. A plan may be
// used by several goroutines at once.
type Plan struct {
	workload Workload
	seed     uint64
	duration time.Duration
	segments []segment
	cohorts  alias
	mixes    []mix
	users    []userRange
	// steady holds the headers of cohorts whose users all send the same.
	steady [][]Pair

	// Streams of draws, read by candidate number (gaps, thin), by sequence number or by user (order).
	gaps, thin, cohort, route, user, order, busters chance.Stream
}

// mix is a cohort's choice among routes.
type mix struct {
	table  alias
	routes []uint16
}

// userRange is a contiguous range of user numbers. A fresh one gives each arrival a user of its own.
type userRange struct {
	first, count uint32
	fresh        bool
}

// NewPlan returns the plan of a workload: a pure function of workload, seed and duration. A longer duration extends the
// plan of a shorter one. The error is that of [Workload.Validate], or says that the duration is negative.
func NewPlan(w Workload, seed uint64, d time.Duration) (*Plan, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	if d < 0 {
		return nil, fmt.Errorf("duration: %v is negative; a plan lasts 0s or more", d)
	}
	p := &Plan{
		workload: w.withDefaults(), seed: seed, duration: d, segments: w.Rate.segments(), users: w.userRanges(),
		gaps: chance.New(seed, "loadgen.gaps"), thin: chance.New(seed, "loadgen.thin"),
		cohort: chance.New(seed, "loadgen.cohort"), route: chance.New(seed, "loadgen.route"),
		user: chance.New(seed, "loadgen.user"), order: chance.New(seed, "loadgen.cookies"),
		busters: chance.New(seed, "loadgen.busters"),
	}
	shares := make([]float64, len(w.Cohorts))
	for i, c := range w.Cohorts {
		shares[i] = c.Share
		p.mixes = append(p.mixes, newMix(w.Routes, c.Mix))
	}
	p.cohorts = newAlias(shares)
	p.keepSteadyHeaders()
	return p, nil
}

// newMix makes the table of the routes that have a weight, in the workload's order, for a map has none.
func newMix(routes []Route, weights map[string]float64) mix {
	var m mix
	var list []float64
	for i, r := range routes {
		if w := weights[r.Name]; w > 0 {
			m.routes = append(m.routes, uint16(i))
			list = append(list, w)
		}
	}
	m.table = newAlias(list)
	return m
}

// userRanges numbers users: cohorts with a fixed number first, in order; the others share the rest of the numbers evenly.
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
			ranges[i] = userRange{first: uint32(next), count: uint32(span), fresh: true}
			next, fresh = next+span, fresh-1
		}
	}
	return ranges
}

// Workload returns what the plan was made from, with defaults filled in. It must not be changed.
func (p *Plan) Workload() Workload { return p.workload }

// Cohorts returns the workload's cohorts, in the order of [Arrival.Cohort]. They must not be changed.
func (p *Plan) Cohorts() []Cohort { return p.workload.Cohorts }

// Routes returns the workload's routes, in the order of [Arrival.Route]. They must not be changed.
func (p *Plan) Routes() []Route { return p.workload.Routes }

// Duration is the time in which arrivals fall: [0, Duration).
func (p *Plan) Duration() time.Duration { return p.duration }

// Expected is the mean number of arrivals over all seeds.
func (p *Plan) Expected() float64 { return p.workload.Rate.Integral(p.duration) }

// Users returns the range of user numbers of a cohort. For a cohort without a fixed number of users it is the range
// reserved for it: arrival Seq has user first + Seq mod count, so numbers repeat only after some billion arrivals.
func (p *Plan) Users(cohort int) (first, count uint32) {
	return p.users[cohort].first, p.users[cohort].count
}

// Digest is a hash over every arrival of the plan: equal digests mean equal traffic.
func (p *Plan) Digest() string {
	h := sha256.New()
	var line [24]byte
	for c := p.Arrivals(); ; {
		a, ok := c.Next()
		if !ok {
			return hex.EncodeToString(h.Sum(nil))
		}
		binary.LittleEndian.PutUint64(line[0:], uint64(a.At))
		binary.LittleEndian.PutUint64(line[8:], a.Seq)
		binary.LittleEndian.PutUint32(line[16:], a.User)
		binary.LittleEndian.PutUint16(line[20:], a.Cohort)
		binary.LittleEndian.PutUint16(line[22:], a.Route)
		h.Write(line[:])
	}
}
