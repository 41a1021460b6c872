package loadgen_test

import (
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen"
)

// request returns lookup functions for headers and cookies, as a server has them.
func request(pairs []loadgen.Pair) (header, cookie func(string) string) {
	r := http.Request{Header: http.Header{}}
	for _, x := range pairs {
		r.Header.Add(x.Name, x.Value)
	}
	return r.Header.Get, func(name string) string {
		if c, err := r.Cookie(name); err == nil {
			return c.Value
		}
		return ""
	}
}

func TestUsersAreMatched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := shop(loadgen.Curve{Constant: 1})
		// like web, except for the range
		w.Cohorts[2].Cookies = append(w.Cohorts[2].Cookies, loadgen.Pair{Name: "sid", Value: "s-{user}"})
		w.Cohorts[1].Headers[1].Value = "a{user}b{user}c"
		p, err := loadgen.NewPlan(w, 1, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		cohort := rapid.IntRange(0, 3).Draw(t, "cohort")
		first, count := p.Users(cohort)
		user := first + rapid.Uint32Range(0, count-1).Draw(t, "user")
		header, cookie := request(p.Headers(uint16(cohort), user))
		got, who, ok := w.CohortMatcher().Cohort(header, cookie)
		if !ok || got != cohort || who != user && p.PerUser(uint16(cohort)) {
			t.Fatalf("user %d of cohort %d is taken for %d of %d, %t", user, cohort, who, got, ok)
		}
	})
}

func TestOtherRequestsDoNotMatch(t *testing.T) {
	w := shop(loadgen.Curve{Constant: 1})
	w.Cohorts[3].Headers = []loadgen.Pair{{Name: "User-Agent", Value: "bot"}} // otherwise it would match every request
	w.Cohorts[1].Headers[1].Value = "a{user}b{user}c"
	cookies := func(sid string) []loadgen.Pair {
		return []loadgen.Pair{{Name: "Cookie", Value: "lang=en; theme=dark; sid=" + sid}}
	}
	mobile := func(user string) []loadgen.Pair {
		return []loadgen.Pair{{Name: "User-Agent", Value: "shop-mobile/2"}, {Name: "X-User", Value: user}}
	}
	for name, pairs := range map[string][]loadgen.Pair{
		"nobody": nil, "other user": cookies("s-500"), "no number": cookies("s-"), "zeros": cookies("s-007"),
		"sign":  cookies("s-+7"),
		"short": cookies("s"), "huge": cookies("s-99999999999999999999"), "two users": mobile("a501b502c"),
		"odd": mobile("a5015011c"),
		"cut": {{Name: "Cookie", Value: "lang=en; sid=s-5"}}, "other agent": mobile("a501b501x"),
	} {
		header, cookie := request(pairs)
		if cohort, ok := w.CohortOf(header, cookie); ok {
			t.Errorf("%s: taken for cohort %d", name, cohort)
		}
	}
	header, cookie := request(mobile("a501b501c"))
	if cohort, ok := w.CohortOf(header, cookie); !ok || cohort != 1 {
		t.Errorf("user 501: %d, %t", cohort, ok)
	}
}
