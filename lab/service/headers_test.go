package service_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coalmine/lab/service"
)

// pairs are headers and cookies of a request: keys start with h: or c:.
type pairs map[string]string

func (p pairs) Header(name string) string { return p["h:"+name] }
func (p pairs) Cookie(name string) string { return p["c:"+name] }

// asPlanned returns what a user of [words] sends.
func asPlanned(cohort uint16, user uint32) pairs {
	v, sent := words(), pairs{}
	if int(cohort) < len(v.Cohorts) {
		sent["h:X-Beta"], sent["c:plan"] = v.Header(cohort, user, "X-Beta"), v.Cookie(cohort, user, "plan")
	}
	return sent
}

// sentFaults have conditions on headers, cookies, cohorts and routes.
func sentFaults() []service.Fault {
	match := func(name, value string) *service.NameMatch { return &service.NameMatch{Name: name, Value: value} }
	return []service.Fault{
		{Name: "gold", Share: 0.5, When: service.When{Cookie: match("plan", "gold")},
			Effect: service.Effect{Status: 500}},
		{Name: "beta", When: service.When{Header: match("X-Beta", "y.*"), Routes: []string{"pay"}},
			Effect: service.Effect{WrongBody: true}},
		{Name: "both", When: service.When{Header: match("X-Beta", "yes"), Cookie: match("plan", ".+")},
			Effect: service.Effect{Hold: 1}},
		{Name: "web", Share: 0.3, When: service.When{Cohorts: []string{"web"}}, Effect: service.Effect{GrowMemory: 1}},
		{Name: "web gold", When: service.When{Cohorts: []string{"web"}, Cookie: match("plan", "gold|lead"),
			Users: 0.4}, Effect: service.Effect{MultiplyLatency: 2}},
		{Name: "all", Share: 0.2, When: service.When{Load: 2}, Effect: service.Effect{Status: 503}},
	}
}

// BeginWithHeaders and Begin agree for requests that are sent as planned.
func TestBeginWithHeadersAsPlanned(t *testing.T) {
	m := compile(t, withFaults(sentFaults()...))
	rapid.Check(t, func(t *rapid.T) {
		r := service.Request{
			Seq: rapid.Uint64().Draw(t, "seq"), User: rapid.Uint32Max(1000).Draw(t, "user"),
			Cohort: rapid.Uint16Max(2).Draw(t, "cohort"),
			Route:  rapid.Uint16Max(4).Draw(t, "route"), Attempt: rapid.Uint8Max(2).Draw(t, "attempt"),
		}
		state, sent := service.State{InWork: rapid.IntRange(1, 3).Draw(t, "in work")}, asPlanned(r.Cohort, r.User)
		if planned, real := m.Begin(r, state), m.BeginWithHeaders(r, sent, state); planned != real {
			t.Errorf("planned %+v\nsent    %+v", planned, real)
		}
		if planned, real := m.Hit(r, state), m.HitWithHeaders(r, sent, state); !slices.Equal(planned, real) {
			t.Errorf("hit by %q as planned, by %q as sent", planned, real)
		}
	})
}

func TestBeginWithHeaders(t *testing.T) {
	m := compile(t, withFaults(sentFaults()...))
	cases := []struct {
		name   string
		cohort uint16
		route  uint16
		sent   pairs
		want   string
	}{
		{"a beta user without the header", beta, pay, pairs{}, ""},
		{"a bot with it", bots, pay, pairs{"h:X-Beta": "yo"}, "beta"},
		{"on another route", bots, cart, pairs{"h:X-Beta": "yo"}, ""},
		{"header and cookie", beta, cart, pairs{"h:X-Beta": "yes", "c:plan": "tin"}, "both"},
		{"no cohort", 99, pay, pairs{"h:X-Beta": "yes", "c:plan": "lead"}, "beta both"},
		{"no cohort is not the cohort of a fault", 3, cart, pairs{"c:plan": "lead"}, ""},
		{"no such route", web, 77, pairs{"h:X-Beta": "yes"}, ""},
	}
	for _, c := range cases {
		r := service.Request{Seq: 1, User: 4, Cohort: c.cohort, Route: c.route}
		got := strings.Join(m.HitWithHeaders(r, c.sent, service.State{InWork: 1}), " ")
		if hit := m.BeginWithHeaders(r, c.sent, service.State{InWork: 1}).Hit; got != c.want || hit != (c.want != "") {
			t.Errorf("%s: hit %t by %q, want %q", c.name, hit, got, c.want)
		}
	}
}

func TestPodSetDecider(t *testing.T) {
	p := pod(t, healthy(), service.Capacity{Concurrency: 2, Queue: 1})
	var seen []int
	p.SetDecider(func(j service.Job, s service.State) service.Work {
		seen = append(seen, s.InWork)
		return service.Work{Status: 200 + int(j.Tag)}
	})
	first, _ := p.Offer(0, job(1))
	p.Offer(0, job(2))
	p.Offer(0, job(3))
	third, _ := p.Done(0, first.Slot)
	if first.Work.Status != 201 || third.Work.Status != 203 || !slices.Equal(seen, []int{1, 2, 2}) {
		t.Errorf("statuses %d and %d, in work %v", first.Work.Status, third.Work.Status, seen)
	}
}
