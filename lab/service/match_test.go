package service_test

import (
	"sync"
	"testing"

	"pgregory.net/rapid"

	"coalmine/lab/service"
)

func TestHeaderAndCookieConditions(t *testing.T) {
	gold := func(value string) service.When {
		return service.When{Cookie: &service.NameMatch{Name: "plan", Value: value}}
	}
	header := func(value string) service.When {
		return service.When{Header: &service.NameMatch{Name: "X-Beta", Value: value}}
	}
	both := gold("gold")
	both.Header = header("yes").Header
	cases := []struct {
		name            string
		when            service.When
		odd, even, beta bool
	}{
		{"one cookie", gold("gold"), true, false, false},
		{"alternatives match the whole value", gold("gol|silver"), false, true, false},
		{"a part is no match", gold("go"), false, false, false},
		{"an end is no match", gold("old"), false, false, false},
		{"any cookie", gold(".+"), true, true, false},
		{"a missing cookie matches nothing", gold(".*"), true, true, false},
		{"header", header("yes|no"), false, false, true},
		{"header by prefix", header("y"), false, false, false},
		{"header and cookie", both, false, false, false},
	}
	for _, c := range cases {
		m := compile(t, withFaults(service.Fault{Name: "x", When: c.when, Effect: service.Effect{Status: 500}}))
		for range 2 { // the second time from memory
			got := [3]bool{
				m.Begin(service.Request{Cohort: web, User: 7}, service.State{}).Hit,
				m.Begin(service.Request{Cohort: web, User: 8}, service.State{}).Hit,
				m.Begin(service.Request{Cohort: beta, User: 9}, service.State{}).Hit,
			}
			if want := [3]bool{c.odd, c.even, c.beta}; got != want {
				t.Errorf("%s: odd, even, beta = %v, want %v", c.name, got, want)
			}
		}
	}
}

func TestMatchesAreCached(t *testing.T) {
	v, asked := words(), map[uint32]int{}
	cookie := v.Cookie
	v.Cookie = func(cohort uint16, user uint32, name string) string {
		if cohort == web {
			asked[user]++
		}
		return cookie(cohort, user, name)
	}
	b := withFaults(service.Fault{Name: "x", When: service.When{Cookie: &service.NameMatch{Name: "plan",
		Value: "gold"}}, Effect: service.Effect{Status: 500}})
	m, err := service.Compile(b, v, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(100) {
		for _, user := range []uint32{0, 1, 5000, 1 << 22, 1 << 31} {
			if hit := m.Begin(service.Request{Seq: i, User: user}, service.State{}).Hit; hit != (user%2 == 1) {
				t.Fatalf("user %d: hit %t", user, hit)
			}
		}
	}
	for _, user := range []uint32{0, 1, 5000} {
		if asked[user] != 1 {
			t.Errorf("user %d was asked for %d times", user, asked[user])
		}
	}
	if asked[1<<22] != 100 {
		t.Errorf("a user beyond the pages was asked for %d times, want each time", asked[1<<22])
	}
}

// Concurrent calls in any order give the same results, and Hit recomputes them.
func TestBeginIsAPureFunction(t *testing.T) {
	faults := []service.Fault{
		{Name: "gold", Share: 0.5, When: service.When{Cookie: &service.NameMatch{Name: "plan", Value: "gold"}},
			Effect: service.Effect{Status: 500}},
		{Name: "few", When: service.When{Users: 0.3, Load: 3}, Effect: service.Effect{WrongBody: true}},
	}
	one, other := compile(t, withFaults(faults...)), compile(t, withFaults(faults...))
	rapid.Check(t, func(t *rapid.T) {
		requests := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) service.Request {
			return service.Request{
				Seq: rapid.Uint64().Draw(t, "seq"), User: rapid.Uint32Max(1<<23).Draw(t, "user"),
				Cohort: rapid.Uint16Max(4).Draw(t, "cohort"), Route: rapid.Uint16Max(4).Draw(t, "route"),
				Attempt: rapid.Uint8Max(2).Draw(t, "attempt"),
			}
		}), 1, 50).Draw(t, "requests")
		state := service.State{InWork: rapid.IntRange(1, 5).Draw(t, "in work")}
		works := make([]service.Work, len(requests))
		var group sync.WaitGroup
		for i := range requests {
			group.Go(func() { works[i] = one.Begin(requests[i], state) })
		}
		group.Wait()
		for i, r := range requests {
			if again := other.Begin(r, state); works[i] != again {
				t.Fatalf("%+v: %+v and %+v", r, works[i], again)
			}
			if known := r.Route < 3; known && works[i].Hit != (len(other.Hit(r, state)) > 0) {
				t.Fatalf("%+v: hit %t, by %q", r, works[i].Hit, other.Hit(r, state))
			}
		}
	})
}
