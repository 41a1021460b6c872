package lesson

import (
	"math"
	"strings"

	"coalmine/lab/verdict/stats"
	"coalmine/lab/verdict/timeline"
)

// arm is what an experiment measured of one arm: requests, and those of them that succeeded.
type arm struct{ n, good int }

func (a arm) rate() float64 { return float64(a.good) / float64(max(1, a.n)) }

// armOf counts the requests of COHORT/ROUTE while the experiment ran. The treatment is what the canary
// answered, the control what the primary did.
func armOf(t *timeline.Timeline, what string, treatment bool) arm {
	cohort, route, _ := strings.Cut(what, "/")
	on := t.OnCanary()
	c := t.SumSteady(func(k timeline.Key) bool {
		return k.Cohort == cohort && (route == "" || k.Route == route) && on(k) == treatment
	})
	return arm{c.N, c.N - c.Errors}
}

// arms reads the argument CONTROL,TREATMENT/ROUTE.
func arms(r *recorded) (control, treatment arm) {
	a, b, _ := strings.Cut(r.arg, ",")
	_, route, _ := strings.Cut(b, "/")
	return armOf(r.time, a+"/"+route, false), armOf(r.time, b, true)
}

// difference is treatment − control with its 95 % interval, by Newcombe's method from Wilson's
// intervals of both (Newcombe 1998, method 10).
func difference(control, treatment arm) (d, low, high float64) {
	p, q := treatment.rate(), control.rate()
	a := stats.Wilson(treatment.good, treatment.n, 0.95)
	b := stats.Wilson(control.good, control.n, 0.95)
	d = p - q
	low = d - math.Hypot(p-a.Low, b.High-q)
	high = d + math.Hypot(a.High-p, q-b.Low)
	return d, low, high
}

// SampleSize is the number of requests that each arm needs to tell a rate p from a rate q with the
// usual error rates: 5 % on both sides, and 20 % to miss it (Fleiss, Statistical Methods for Rates and
// Proportions, without the continuity correction).
func SampleSize(p, q float64) int {
	z := stats.NormalQuantile(0.975) + stats.NormalQuantile(0.8)
	return int(math.Ceil(z * z * (p*(1-p) + q*(1-q)) / ((p - q) * (p - q))))
}

// Readings of an experiment, by its interval.
const (
	better       = "better"
	worse        = "worse"
	noDifference = "no difference shown"
)

// armFigures are the figures of experiments. Their argument is CONTROL,TREATMENT/ROUTE.
func armFigures() map[string]figure {
	points := func(get func(d, low, high float64) float64) figure {
		return func(r *recorded) Value {
			return Value{Kind: kindPoints, Number: 100 * get(difference(arms(r)))}
		}
	}
	return map[string]figure{
		"control-n":    func(r *recorded) Value { c, _ := arms(r); return number(c.n) },
		"treatment-n":  func(r *recorded) Value { _, t := arms(r); return number(t.n) },
		"control":      func(r *recorded) Value { c, _ := arms(r); return percent(c.rate()) },
		"treatment":    func(r *recorded) Value { _, t := arms(r); return percent(t.rate()) },
		"effect":       points(func(d, _, _ float64) float64 { return d }),
		"effect-least": points(func(_, low, _ float64) float64 { return low }),
		"effect-most":  points(func(_, _, high float64) float64 { return high }),
		"reading":      func(r *recorded) Value { return text(reading(arms(r))) },
	}
}

// reading says what the interval of the difference allows to say.
func reading(control, treatment arm) string {
	_, low, high := difference(control, treatment)
	switch {
	case low > 0:
		return better
	case high < 0:
		return worse
	}
	return noDifference
}
