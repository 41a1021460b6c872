package loadgen_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"coalmine/loadgen"
)

const (
	web = iota
	mobile
	beta
	bots
)

func TestHeadersOfCohorts(t *testing.T) {
	p := newPlan(t, shop(loadgen.Curve{Constant: 1}), 1, time.Second)
	cases := map[int][]loadgen.Pair{
		mobile: {{Name: "User-Agent", Value: "shop-mobile/2"}, {Name: "X-User", Value: "77"}},
		beta:   {{Name: "X-Beta", Value: "yes"}, {Name: "Cookie", Value: "beta=1"}},
		bots:   {},
	}
	for cohort, want := range cases {
		if got := p.Headers(uint16(cohort), 77); !slices.Equal(got, want) {
			t.Errorf("cohort %d: %q, want %q", cohort, got, want)
		}
	}
	for cohort, want := range []bool{true, true, false, false} {
		if got := p.PerUser(uint16(cohort)); got != want {
			t.Errorf("cohort %d differs between users: %t", cohort, got)
		}
	}
	lookups := map[string]string{
		p.Header(mobile, 77, "x-user"): "77", p.Header(beta, 0, "cookie"): "beta=1", p.Header(bots, 0, "X-Beta"): "",
		p.Cookie(web, 5, "sid"): "s-5", p.Cookie(web, 5, "SID"): "",
	}
	for got, want := range lookups {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCookiesAreShuffledByUser(t *testing.T) {
	const users = 6000
	p := newPlan(t, shop(loadgen.Curve{Constant: 1}), 1, time.Second)
	other := newPlan(t, shop(loadgen.Curve{Constant: 1}), 2, time.Second)
	orders, changed := map[string]int{}, 0
	for user := range uint32(users) {
		line := p.Header(web, user, "Cookie")
		if again := p.Header(web, user, "Cookie"); again != line {
			t.Fatalf("user %d sends %q, then %q", user, line, again)
		}
		if other.Header(web, user, "Cookie") != line {
			changed++
		}
		orders[strings.ReplaceAll(line, "s-"+strconv.Itoa(int(user)), "")]++
	}
	if len(orders) != 6 {
		t.Fatalf("%d orders of three cookies: %v", len(orders), orders)
	}
	for order, n := range orders {
		binomial(t, order, n, users, 1./6)
	}
	binomial(t, "orders that another seed changes", changed, users, 5./6)
}
