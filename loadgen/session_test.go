package loadgen_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"coalmine/loadgen"
)

// thinks returns one distribution of each kind, with a mean near two seconds.
func thinks() map[string]loadgen.Think {
	return map[string]loadgen.Think{
		"constant":  {Constant: 2 * time.Second},
		"lognormal": {Lognormal: &loadgen.LognormalThink{P50: time.Second, P99: 15 * time.Second}},
		"pareto":    {Pareto: &loadgen.ParetoThink{Min: 700 * time.Millisecond, Alpha: 1.5, Max: time.Minute}},
	}
}

// mall returns the shop with sessions for web users, and for bots that crawl items.
func mall(rate loadgen.Curve, think loadgen.Think) loadgen.Workload {
	w := shop(rate)
	w.Routes = append(w.Routes, loadgen.Route{Name: "item", Path: "/items/{item}"},
		loadgen.Route{Name: "reviews", Path: "/items/{item}/reviews?page=1"})
	w.Cohorts[0].Mix = nil
	w.Cohorts[0].Session = &loadgen.Session{
		Length: 5, Think: think, Start: map[string]float64{"home": 3, "item": 1},
		Next: map[string]map[string]float64{
			"home": {"search": 2, "item": 1, "home": 0}, "search": {"item": 1},
			"item": {"item": 1, "cart": 1, "search": 1}, "cart": {"pay": 9, "home": 1},
		},
	}
	w.Cohorts[0].Items = &loadgen.Items{Count: 1000, Exponent: 1.1, Offset: 600}
	w.Cohorts[3].Mix = nil
	w.Cohorts[3].Session = &loadgen.Session{Length: 40, Think: loadgen.Think{Constant: 100 * time.Millisecond},
		Start: map[string]float64{"reviews": 1}}
	w.Cohorts[3].Items = &loadgen.Items{Count: 700, Sequential: true, Offset: 10}
	return w
}

// sessions returns the requests of each session of a cohort. It selects sessions that start after
// traffic and well before its end, so that all are complete.
func sessions(p *loadgen.Plan, cohort uint16, from, to time.Duration) [][]loadgen.Arrival {
	numbers := map[uint32]int{}
	var list [][]loadgen.Arrival
	for _, a := range arrivals(p) {
		if a.Cohort != cohort {
			continue
		}
		i, known := numbers[a.Session]
		if !known {
			i = len(list)
			numbers[a.Session] = i
			list = append(list, nil)
		}
		list[i] = append(list[i], a)
	}
	return slices.DeleteFunc(list, func(s []loadgen.Arrival) bool { return s[0].At < from || s[0].At > to })
}

// whole returns sessions of web users with think times of about 0.1 s, which are short compared
// with the plan.
func whole(t *testing.T, think loadgen.Think, length float64) [][]loadgen.Arrival {
	w := mall(loadgen.Curve{Constant: 500}, think)
	w.Cohorts[0].Session.Length = length
	return sessions(newPlan(t, w, 5, 5*time.Minute), 0, 20*time.Second, 4*time.Minute)
}

// chiSquare fails unless counts are within four standard deviations of the chi-square distribution.
func chiSquare(t *testing.T, what string, counts, want []float64) {
	t.Helper()
	chi, freedom := 0.0, -1.0
	for i, n := range counts {
		if want[i] > 0 {
			chi += (n - want[i]) * (n - want[i]) / want[i]
			freedom++
		} else if n > 0 {
			t.Errorf("%s: %g of number %d, want none", what, n, i)
		}
	}
	if math.Abs(chi-freedom) > 4*math.Sqrt(2*max(freedom, 1)) {
		t.Errorf("%s: chi-square %.1f with %g degrees of freedom: %.0f, want %.0f", what, chi, freedom, counts, want)
	}
}

func TestSessionLengthsAreGeometric(t *testing.T) {
	think := loadgen.Think{Constant: 100 * time.Millisecond}
	for _, length := range []float64{1, 1.5, 5, 20} {
		list := whole(t, think, length)
		counts, want := make([]float64, 3*int(length)+2), make([]float64, 3*int(length)+2)
		last := len(counts) - 1
		for _, s := range list {
			counts[min(len(s)-1, last)]++
		}
		for k := range want {
			want[k] = float64(len(list)) * math.Pow(1-1/length, float64(k))
			if k < last {
				want[k] /= length
			}
		}
		chiSquare(t, "lengths", counts, want)
	}
}

// ks returns the Kolmogorov-Smirnov distance between a sample and a continuous distribution.
func ks(sample []float64, cdf func(float64) float64) (distance float64) {
	slices.Sort(sample)
	n := float64(len(sample))
	for i, x := range sample {
		f := cdf(x)
		distance = max(distance, f-float64(i)/n, float64(i+1)/n-f)
	}
	return distance
}

func TestThinkTimesFollowTheDistribution(t *testing.T) {
	ms := time.Millisecond
	phi := func(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
	for name, c := range map[string]struct {
		think loadgen.Think
		cdf   func(float64) float64
	}{
		"lognormal": {loadgen.Think{Lognormal: &loadgen.LognormalThink{P50: 100 * ms, P99: 900 * ms}},
			func(x float64) float64 {
				return phi(math.Log(x/0.1) / (math.Log(9) / 2.3263478740408408))
			}},
		"pareto": {loadgen.Think{Pareto: &loadgen.ParetoThink{Min: 50 * ms, Alpha: 1.5, Max: 2000 * ms}},
			func(x float64) float64 {
				return (1 - math.Pow(0.05/x, 1.5)) / (1 - math.Pow(0.05/2, 1.5)) // of those below the cut
			}},
	} {
		var times []float64
		all, cut := 0, 0
		for _, s := range whole(t, c.think, 5) {
			for i := range len(s) - 1 {
				all++
				if gap := (s[i+1].At - s[i].At); gap == 2000*ms && name == "pareto" {
					cut++
				} else {
					times = append(times, gap.Seconds())
				}
			}
		}
		if distance, limit := ks(times, c.cdf), 1.95/math.Sqrt(float64(len(times))); distance > limit ||
			len(times) < 10_000 {
			t.Errorf("%s: KS distance %.4f of %d times, want under %.4f", name, distance, len(times), limit)
		}
		if name == "pareto" {
			binomial(t, "times at the cut", cut, all, math.Pow(0.05/2, 1.5))
		}
	}
}

func TestPagesFollowTheGraph(t *testing.T) {
	w := mall(loadgen.Curve{Constant: 500}, loadgen.Think{Constant: 100 * time.Millisecond})
	names := map[string]int{}
	for i, r := range w.Routes {
		names[r.Name] = i
	}
	start := make([]float64, len(w.Routes))
	next := make([][]float64, len(w.Routes))
	for i := range next {
		next[i] = make([]float64, len(w.Routes))
	}
	for _, s := range whole(t, w.Cohorts[0].Session.Think, 5) {
		start[s[0].Route]++
		for i := range len(s) - 1 {
			next[s[i].Route][s[i+1].Route]++
		}
	}
	expect := func(counts []float64, weights map[string]float64) []float64 {
		total, sum, want := 0.0, 0.0, make([]float64, len(counts))
		for i := range counts {
			total += counts[i]
			sum += weights[w.Routes[i].Name]
		}
		for name, weight := range weights {
			want[names[name]] = total * weight / sum
		}
		return want
	}
	session := w.Cohorts[0].Session
	chiSquare(t, "start", start, expect(start, session.Start))
	for _, page := range []string{"home", "search", "item", "cart", "pay"} {
		weights, ok := session.Next[page]
		if !ok {
			weights = session.Start
		}
		chiSquare(t, "after "+page, next[names[page]], expect(next[names[page]], weights))
	}
}

// TestSessionsAreWellFormed checks what all arrivals of a session have in common, and the numbers
// of sessions and users.
func TestSessionsAreWellFormed(t *testing.T) {
	for name, think := range thinks() {
		w := mall(loadgen.Curve{Constant: 300}, think)
		p := newPlan(t, w, 8, 2*time.Minute)
		last := map[uint32]loadgen.Arrival{}
		newest, singles := uint32(0), uint32(0)
		for _, a := range arrivals(p) {
			first, count := p.Users(int(a.Cohort))
			if a.User < first || a.User-first >= count {
				t.Fatalf("%s: %+v is not of the users from %d, %d of them", name, a, first, count)
			}
			if (a.Session > 0) != (w.Cohorts[a.Cohort].Session != nil) {
				t.Fatalf("%s: %+v", name, a)
			}
			if a.Session == 0 {
				singles++
				continue
			}
			before, known := last[a.Session]
			switch {
			case !known && a.Session != newest+1:
				t.Fatalf("%s: session %d comes after %d", name, a.Session, newest)
			case known && (before.User != a.User || before.Cohort != a.Cohort || before.At > a.At):
				t.Fatalf("%s: %+v after %+v", name, a, before)
			case a.Cohort == bots && a.User != first+a.Session-1:
				t.Fatalf("%s: bot of session %d is user %d", name, a.Session, a.User-first)
			}
			newest = max(newest, a.Session)
			last[a.Session] = a
		}
		if newest < 1000 || singles < 5000 {
			t.Errorf("%s: only %d sessions and %d single requests", name, newest, singles)
		}
	}
}

// TestSingleRequestsDoNotDependOnSessions checks that they are the same with and without sessions
// of other cohorts.
func TestSingleRequestsDoNotDependOnSessions(t *testing.T) {
	single := func(think loadgen.Think) (list []loadgen.Arrival) {
		for _, a := range arrivals(newPlan(t, mall(loadgen.Curve{Constant: 300}, think), 8, time.Minute)) {
			if a.Session == 0 {
				a.Seq = 0
				list = append(list, a)
			}
		}
		return list
	}
	want := single(thinks()["constant"])
	if got := single(thinks()["pareto"]); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("%d single requests are not the %d of another plan", len(got), len(want))
	}
}
