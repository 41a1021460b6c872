package loadgen_test

import (
	"math"
	"testing"
	"time"

	"coalmine/loadgen"
)

// mean fails unless the mean of a sample is within five standard errors of want, by Student's test.
func mean(t *testing.T, what string, sample []float64, want float64) {
	t.Helper()
	n, sum, squares := float64(len(sample)), 0.0, 0.0
	for _, x := range sample {
		sum += x
		squares += x * x
	}
	average := sum / n
	if deviation := math.Sqrt((squares/n - average*average) / n); !(math.Abs(average-want) <= 5*deviation) {
		t.Errorf("%s: %.3f ± %.3f, want %.3f", what, average, deviation, want)
	}
}

// TestSessionsStartAtFullRate counts the requests of the first seconds, and of later ones, over
// many seeds.
func TestSessionsStartAtFullRate(t *testing.T) {
	const seeds, windows = 250, 4
	all := thinks()
	all["wide"] = loadgen.Think{Lognormal: &loadgen.LognormalThink{P50: 30 * time.Minute, P99: 24 * time.Hour}}
	for name, think := range all {
		for _, bursts := range []*loadgen.Bursts{nil, {Factor: 8, Calm: 6 * time.Second, Burst: 2 * time.Second}} {
			rate := 50.0
			// a quarter of the time is spent in think times that are cut; thousands of sessions are
			// active
			if name == "wide" {
				rate, bursts = 2, nil
			}
			w := mall(loadgen.Curve{Constant: rate}, think)
			w.Bursts = bursts
			factor := 1.0
			if bursts != nil {
				factor = (6 + 8*2) / 8.
			}
			var counts [windows][2][]float64
			for seed := range uint64(seeds) {
				var n [windows][2]float64
				for _, a := range arrivals(newPlan(t, w, seed, windows*3*time.Second)) {
					switch a.Cohort {
					case web:
						n[a.At/(3*time.Second)][0]++
					case bots:
						n[a.At/(3*time.Second)][1]++
					}
				}
				for i := range n {
					counts[i][0] = append(counts[i][0], n[i][0])
					counts[i][1] = append(counts[i][1], n[i][1])
				}
			}
			for i := range windows {
				mean(t, name+", web", counts[i][0], 3*rate*factor*w.Cohorts[web].Share)
				mean(t, name+", bots", counts[i][1], 3*rate*factor*w.Cohorts[bots].Share)
			}
		}
	}
}

// TestSessionsStartStationary compares the sessions in a window at the start with those in a later
// window: the pages, the number of sessions, and how many make more than one request.
func TestSessionsStartStationary(t *testing.T) {
	const seeds, window, later = 400, 3 * time.Second, 40 * time.Second
	for name, think := range thinks() {
		w := mall(loadgen.Curve{Constant: 20}, think)
		w.Bursts = &loadgen.Bursts{Factor: 4, Calm: 6 * time.Second, Burst: 2 * time.Second}
		differences := map[string][]float64{}
		for seed := range uint64(seeds) {
			list := arrivals(newPlan(t, w, seed, later+window))
			before, after := seen(w, list, 0, window), seen(w, list, later, later+window)
			for _, what := range []string{"home", "search", "item", "cart", "pay", "sessions", "again"} {
				differences[what] = append(differences[what], after[what]-before[what])
			}
		}
		for what, sample := range differences {
			mean(t, name+", "+what, sample, 0)
		}
	}
}

// seen counts what web users do in an interval.
func seen(w loadgen.Workload, list []loadgen.Arrival, from, to time.Duration) map[string]float64 {
	counts, times := map[string]float64{}, map[uint32]int{}
	for _, a := range list {
		if a.Cohort != web || a.At < from || a.At >= to {
			continue
		}
		counts[w.Routes[a.Route].Name]++
		times[a.Session]++
		switch times[a.Session] {
		case 1:
			counts["sessions"]++
		case 2:
			counts["again"]++
		}
	}
	return counts
}

// TestRequestsOfSessionsFollowTheCurve compares counts with the rate of starts, spread over the
// requests of a session. With a constant think time c the rate at t is the sum over k of
// (1-1/length)^k/length times the curve at t - k·c.
func TestRequestsOfSessionsFollowTheCurve(t *testing.T) {
	const seeds, window, windows, length = 100, 4 * time.Second, 10, 4.0
	think := 3 * time.Second
	for name, c := range shapes() {
		w := mall(c, loadgen.Think{Constant: think})
		w.Cohorts[0].Session.Length = length
		var counts [windows][]float64
		for seed := range uint64(seeds) {
			var n [windows]float64
			for _, a := range arrivals(newPlan(t, w, seed, windows*window)) {
				if a.Cohort == web {
					n[a.At/window]++
				}
			}
			for i := range n {
				counts[i] = append(counts[i], n[i])
			}
		}
		for i := range counts {
			want := 0.0
			for k := range 100 {
				for at := time.Duration(i)*window + 5*time.Millisecond; at < time.Duration(i+1)*window; at += 10 *
					time.Millisecond {
					want += 0.01 * c.At(max(at-time.Duration(k)*think, 0)) * math.Pow(1-1/length, float64(k)) / length
				}
			}
			mean(t, name, append(counts[i], 0)[:seeds], want*w.Cohorts[web].Share)
		}
	}
}

// TestSharesApplyToRequestsOfSessions checks that shares are those of requests, not of sessions.
func TestSharesApplyToRequestsOfSessions(t *testing.T) {
	shares := make([][]float64, 4)
	w := mall(loadgen.Curve{Constant: 200}, thinks()["lognormal"])
	for seed := range uint64(60) {
		var n [4]float64
		list := arrivals(newPlan(t, w, seed, 30*time.Second))
		for _, a := range list {
			n[a.Cohort]++
		}
		for i := range n {
			shares[i] = append(shares[i], n[i]-w.Cohorts[i].Share*float64(len(list)))
		}
	}
	for i, c := range w.Cohorts {
		mean(t, "requests over the share of "+c.Name, shares[i], 0)
	}
}
