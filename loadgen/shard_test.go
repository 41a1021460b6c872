package loadgen_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen"
)

// TestShardsPartitionThePlan checks that every arrival is in exactly one shard, and all arrivals of
// a user in the same one.
func TestShardsPartitionThePlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := loadgen.NewPlan(shop(loadgen.Curve{Constant: 100}), rapid.Uint64().Draw(t, "seed"), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		n := rapid.IntRange(1, 7).Draw(t, "shards")
		var union []loadgen.Arrival
		home := map[uint32]int{}
		for i := 1; i <= n; i++ {
			for c := p.Share(loadgen.Shard{Index: i, Count: n}); ; {
				a, ok := c.Next()
				if !ok {
					break
				}
				if before, seen := home[a.User]; seen && before != i {
					t.Fatalf("user %d is in shards %d and %d", a.User, before, i)
				}
				home[a.User] = i
				union = append(union, a)
			}
		}
		slices.SortFunc(union, func(a, b loadgen.Arrival) int { return int(a.Seq) - int(b.Seq) })
		if !slices.Equal(union, arrivals(p)) {
			t.Fatalf("%d arrivals in %d shares are not the plan", len(union), n)
		}
	})
}

// Parts by cohort belong to the same plan: together they have every arrival once, also when
// sharded.
func TestOnlyPartitionsThePlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := loadgen.NewPlan(shop(loadgen.Curve{Constant: 100}), rapid.Uint64().Draw(t, "seed"), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		first := map[string]bool{}
		for _, c := range p.Cohorts() {
			first[c.Name] = rapid.Bool().Draw(t, c.Name)
		}
		var union []loadgen.Arrival
		for _, part := range []*loadgen.Plan{
			p.Only(func(c *loadgen.Cohort) bool { return first[c.Name] }),
			p.Only(func(c *loadgen.Cohort) bool { return !first[c.Name] }),
			p.Only(func(c *loadgen.Cohort) bool {
				return first[c.Name]
			}).Only(func(c *loadgen.Cohort) bool { return !first[c.Name] }),
		} {
			for i := 1; i <= 2; i++ {
				for c := part.Share(loadgen.Shard{Index: i, Count: 2}); ; {
					a, ok := c.Next()
					if !ok {
						break
					}
					union = append(union, a)
				}
			}
		}
		slices.SortFunc(union, func(a, b loadgen.Arrival) int { return int(a.Seq) - int(b.Seq) })
		if !slices.Equal(union, arrivals(p)) {
			t.Fatalf("%d arrivals in the parts are not the plan", len(union))
		}
	})
}

func TestShardsAreEven(t *testing.T) {
	p := newPlan(t, shop(loadgen.Curve{Constant: 2000}), 1, 20*time.Second)
	users := map[uint32]bool{}
	for _, a := range arrivals(p) {
		users[a.User] = true
	}
	mine := 0
	for u := range users {
		if (loadgen.Shard{Index: 2, Count: 4}).Has(u) {
			mine++
		}
	}
	binomial(t, "users of a quarter", mine, len(users), 0.25)
}

func TestParseShard(t *testing.T) {
	for text, want := range map[string]loadgen.Shard{"": {}, "1/1": {Index: 1, Count: 1}, "3/8": {Index: 3, Count: 8}} {
		if got, err := loadgen.ParseShard(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2", "1/70000"} {
		if got, err := loadgen.ParseShard(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}
