package loadgen

import (
	"fmt"
	"strconv"
	"strings"

	"coalmine/loadgen/rng"
)

// Shard is one of Count parts of a plan, numbered from 1. The zero value is the whole plan. Shards
// divide users: all requests of a user are in one shard, so that cookies and sessions stay
// together.
type Shard struct{ Index, Count int }

// maxShards is far more than the number of traffic pods of any cluster.
const maxShards = 1 << 16

// ParseShard parses "i/n", such as "2/3". The empty string is the whole plan.
func ParseShard(s string) (Shard, error) {
	if s == "" {
		return Shard{}, nil
	}
	left, right, ok := strings.Cut(s, "/")
	i, err := strconv.Atoi(left)
	n, err2 := strconv.Atoi(right)
	if !ok || err != nil || err2 != nil || n < 1 || n > maxShards || i < 1 || i > n {
		return Shard{}, fmt.Errorf("shard %q: write i/n with 1 ≤ i ≤ n ≤ %d, such as 2/3", s, maxShards)
	}
	return Shard{i, n}, nil
}

// Only returns the plan restricted to the cohorts that keep accepts, for executors that each send a
// part of the requests. Arrivals keep their numbers in the whole plan; the rates that the plan
// reports are those of the whole plan.
func (p *Plan) Only(cohort func(c *Cohort) bool) *Plan {
	part := *p
	part.only = make([]bool, len(p.workload.Cohorts))
	for i := range part.only {
		part.only[i] = (p.only == nil || p.only[i]) && cohort(&p.workload.Cohorts[i])
	}
	return &part
}

// String returns "i/n", or "1/1" for the whole plan.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", max(s.Index, 1), max(s.Count, 1)) }

// Has reports whether a user's requests belong to the shard.
func (s Shard) Has(user uint32) bool { return s.contains(newShardStream(), user) }

// newShardStream returns the stream that assigns users to shards. It is the same for all plans, so
// that a user always belongs to the same shard.
func newShardStream() rng.Stream { return rng.New(0, "loadgen.shard") }

func (s Shard) contains(deal rng.Stream, user uint32) bool {
	return s.Count <= 1 || rng.Below(deal.Bits(uint64(user)), uint64(s.Count)) == uint64(s.Index-1)
}
