package loadgen

import (
	"fmt"
	"strconv"
	"strings"

	"coalmine/loadgen/rng"
)

// Shard is one of Count parts of a plan, numbered from 1. The zero value is all of it. Users are not divided: one shard has all
// requests of a user, so that cookies and sessions stay together.
type Shard struct{ Index, Count int }

// maxShards is far over what a cluster has pods for.
const maxShards = 1 << 16

// ParseShard reads i/n, as 2/3; "" is the whole plan.
func ParseShard(s string) (Shard, error) {
	if s == "" {
		return Shard{}, nil
	}
	left, right, ok := strings.Cut(s, "/")
	i, err := strconv.Atoi(left)
	n, err2 := strconv.Atoi(right)
	if !ok || err != nil || err2 != nil || n < 1 || n > maxShards || i < 1 || i > n {
		return Shard{}, fmt.Errorf("shard %q: write i/n with 1 ≤ i ≤ n ≤ %d, as 2/3", s, maxShards)
	}
	return Shard{i, n}, nil
}

// Only is the plan with the arrivals of the cohorts that a function says yes to, for executors that send a part of the users' requests
// each. The arrivals have the numbers that they have in the whole plan; what is said of rates is said of the whole plan.
func (p *Plan) Only(cohort func(c *Cohort) bool) *Plan {
	part := *p
	part.only = make([]bool, len(p.workload.Cohorts))
	for i := range part.only {
		part.only[i] = (p.only == nil || p.only[i]) && cohort(&p.workload.Cohorts[i])
	}
	return &part
}

// String is i/n, and 1/1 for the whole plan.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", max(s.Index, 1), max(s.Count, 1)) }

// Has tells whether a user's requests are the shard's.
func (s Shard) Has(user uint32) bool { return s.contains(newShardStream(), user) }

// newShardStream is the stream that deals users to shards. It is the same for all plans, so that a user stays with a shard.
func newShardStream() rng.Stream { return rng.New(0, "loadgen.shard") }

func (s Shard) contains(deal rng.Stream, user uint32) bool {
	return s.Count <= 1 || rng.Below(deal.Bits(uint64(user)), uint64(s.Count)) == uint64(s.Index-1)
}
