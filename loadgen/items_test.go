package loadgen_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"coalmine/loadgen"
)

// browse returns a workload of one cohort that requests items.
func browse(items loadgen.Items) loadgen.Workload {
	return loadgen.Workload{
		Rate: loadgen.Curve{Constant: 2000},
		Routes: []loadgen.Route{{Name: "home", Path: "/"},
			{Name: "item", Path: "/items/{item}?ref={item}", Method: "PUT"}},
		Cohorts: []loadgen.Cohort{{Name: "all", Share: 1, Mix: map[string]float64{"home": 1, "item": 3},
			Items: &items}},
	}
}

func TestItemsArePopularByRank(t *testing.T) {
	for _, exponent := range []float64{0, 0.8, 1, 2} {
		const count, offset = 50, 30
		counts, want, all, sum := make([]float64, count), make([]float64, count), 0.0, 0.0
		for _, a := range arrivals(newPlan(t, browse(loadgen.Items{Count: count, Exponent: exponent, Offset: offset}),
			1, time.Minute)) {
			if a.Route == 0 {
				if a.Item != 0 {
					t.Fatalf("%+v has an item", a)
				}
				continue
			}
			counts[a.Item]++
			all++
		}
		for k := 1; k <= count; k++ {
			sum += math.Pow(float64(k), -exponent)
		}
		for k := 1; k <= count; k++ {
			want[(offset+k-1)%count] = all * math.Pow(float64(k), -exponent) / sum
		}
		chiSquare(t, fmt.Sprintf("exponent %g", exponent), counts, want)
	}
}

func TestItemsInSequence(t *testing.T) {
	next := uint32(4)
	for _, a := range arrivals(newPlan(t, browse(loadgen.Items{Count: 7, Sequential: true, Offset: 11}), 1,
		time.Second)) {
		if a.Route == 1 {
			if a.Item != next {
				t.Fatalf("item %d, want %d", a.Item, next)
			}
			next = (next + 1) % 7
		}
	}
}

func TestLargeNumbersOfItems(t *testing.T) {
	p := newPlan(t, browse(loadgen.Items{Count: 1_000_000, Exponent: 1}), 1, time.Minute)
	harmonic := math.Log(1e6) + 0.5772156649
	seen, first, high := 0, 0, 0
	for _, a := range arrivals(p) {
		if a.Route == 1 {
			seen++
			first += int(one(a.Item == 0))
			high += int(one(a.Item >= 1000))
		}
	}
	binomial(t, "requests for the most popular item", first, seen, 1/harmonic)
	binomial(t, "requests for others than the first thousand", high, seen, math.Log(1000)/harmonic)
}

func TestRoutesArePopularByRank(t *testing.T) {
	w := shop(loadgen.Curve{Constant: 2000})
	for i := range w.Cohorts {
		w.Cohorts[i].Mix = nil
		w.Cohorts[i].Zipf = &loadgen.Zipf{Exponent: 1.2, Routes: []string{"pay", "home", "cart"}}
	}
	slices.Reverse(w.Cohorts[1].Zipf.Routes)
	counts, sum := [4][4]float64{}, 1+math.Pow(2, -1.2)+math.Pow(3, -1.2)
	for _, a := range arrivals(newPlan(t, w, 1, time.Minute)) {
		counts[a.Cohort][a.Route]++
	}
	for i, n := range counts {
		all := n[0] + n[1] + n[2] + n[3]
		want := []float64{all / sum * math.Pow(2, -1.2), 0, all / sum * math.Pow(3, -1.2), all / sum}
		if i == 1 {
			want[2], want[3] = want[3], want[2]
		}
		chiSquare(t, w.Cohorts[i].Name, n[:], want)
	}
}

func TestTargets(t *testing.T) {
	w := browse(loadgen.Items{Count: 9})
	w.Routes[0].Path = "/home?a=b"
	plain := newPlan(t, w, 1, time.Second)
	w.Cohorts[0].CacheBuster = "nc"
	busted, other := newPlan(t, w, 1, time.Second), newPlan(t, w, 2, time.Second)
	values := map[string]bool{}
	for _, a := range arrivals(plain) {
		want, method := "/home?a=b", "GET"
		if a.Route == 1 {
			want, method = fmt.Sprintf("/items/%d?ref=%d", a.Item, a.Item), "PUT"
		}
		if got := plain.Target(a); got != want || plain.Method(a) != method {
			t.Fatalf("%s %s, want %s %s", plain.Method(a), got, method, want)
		}
		got := busted.Target(a)
		value, ok := strings.CutPrefix(got, want+"&nc=")
		if !ok || len(value) == 0 || values[value] || busted.Target(a) != got || other.Target(a) == got {
			t.Fatalf("%s for %s, after %d others", got, want, len(values))
		}
		values[value] = true
	}
	w.Routes[0].Path = "/home"
	if got := newPlan(t, w, 1, time.Second).Target(loadgen.Arrival{}); !strings.HasPrefix(got, "/home?nc=") {
		t.Errorf("%s", got)
	}
}
