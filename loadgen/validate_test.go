package loadgen_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"coalmine/loadgen"
)

func TestValidateNamesTheField(t *testing.T) {
	rate := func(c loadgen.Curve) func(*loadgen.Workload) { return func(w *loadgen.Workload) { w.Rate = c } }
	cases := map[string]func(*loadgen.Workload){
		"rate: is empty or":  rate(loadgen.Curve{}),
		"rate: has 2 shapes": rate(loadgen.Curve{Constant: 1, Ramp: &loadgen.Ramp{Over: 1}}),
		"rate.constant:":     rate(loadgen.Curve{Constant: math.NaN()}),
		"rate.ramp.over:":    rate(loadgen.Curve{Ramp: &loadgen.Ramp{From: 1, To: 2}}),
		"rate.ramp.to:": rate(
			loadgen.Curve{Ramp: &loadgen.Ramp{From: 1, To: -2, Over: 1}}),
		"rate.steps[1].at:": rate(
			loadgen.Curve{Steps: []loadgen.Step{{At: 5, Rate: 1}, {At: 5, Rate: 2}}}),
		"rate.steps[0].rate:": rate(loadgen.Curve{Steps: []loadgen.Step{{Rate: math.Inf(1)}}}),
		"rate.spike.for:":     rate(loadgen.Curve{Spike: &loadgen.Spike{Base: 1, Peak: 2}}),
		"rate.diurnal.amplitude:": rate(
			loadgen.Curve{Diurnal: &loadgen.Diurnal{Mean: 1, Amplitude: 2, Period: time.Hour}}),
		"rate.diurnal.period:":       rate(loadgen.Curve{Diurnal: &loadgen.Diurnal{Mean: 1}}),
		"routes: has 0":              func(w *loadgen.Workload) { w.Routes = nil },
		`routes[1].name: "home"`:     func(w *loadgen.Workload) { w.Routes[1].Name = "home" },
		"routes[0].path:":            func(w *loadgen.Workload) { w.Routes[0].Path = "x" },
		"routes[0].method:":          func(w *loadgen.Workload) { w.Routes[0].Method = "G T" },
		"cohorts: has 0":             func(w *loadgen.Workload) { w.Cohorts = nil },
		"cohorts: shares sum to 1.1": func(w *loadgen.Workload) { w.Cohorts[0].Share += 0.1 },
		"cohorts[0].share:":          func(w *loadgen.Workload) { w.Cohorts[0].Share = math.NaN() },
		"cohorts[0].users:":          func(w *loadgen.Workload) { w.Cohorts[0].Users = -1 },
		"cohorts: more than": func(w *loadgen.Workload) {
			w.Cohorts[0].Users, w.Cohorts[1].Users = 1<<31, 1
		},
		`cohorts[2].name: is empty`: func(w *loadgen.Workload) { w.Cohorts[2].Name = "" },
		`cohorts[2].mix: route "x" is not in routes`: func(w *loadgen.Workload) {
			w.Cohorts[2].Mix = map[string]float64{"x": 1}
		},
		"cohorts[2].mix: no route": func(w *loadgen.Workload) { w.Cohorts[2].Mix = nil },
		"cohorts[2].mix: weight -1": func(w *loadgen.Workload) {
			w.Cohorts[2].Mix = map[string]float64{"pay": -1, "home": 2}
		},
		"cohorts[1].headers[0].name:": func(w *loadgen.Workload) {
			w.Cohorts[1].Headers[0].Name = "a b"
		},
		"cohorts[1].headers[0].value:": func(w *loadgen.Workload) {
			w.Cohorts[1].Headers[0].Value = "a\r\nb"
		},
		"cohorts[0].cookies[1].value:": func(w *loadgen.Workload) {
			w.Cohorts[0].Cookies[1].Value = "a; b=c"
		},
		"cohorts[2].headers[0]: is a Cookie": func(w *loadgen.Workload) {
			w.Cohorts[2].Headers[0].Name = "cookie"
		},
		`routes[0].name: "home\n"`:                     func(w *loadgen.Workload) { w.Routes[0].Name = "home\n" },
		`routes[0].path: "/a b" contains ' '`:          func(w *loadgen.Workload) { w.Routes[0].Path = "/a b" },
		`routes[0].path: "/ä"`:                         func(w *loadgen.Workload) { w.Routes[0].Path = "/ä" },
		`routes[0].path: "/u/{name}" contains a brace`: func(w *loadgen.Workload) { w.Routes[0].Path = "/u/{name}" },
		`routes[0].path: "/{item}/{item}"`: func(w *loadgen.Workload) {
			w.Routes[0].Path = "/{item}/{item}"
		},
		`routes[0].path: "/x*" ends in *`: func(w *loadgen.Workload) { w.Routes[0].Path = "/x*" },
		"rate: is 0 at all times":         rate(loadgen.Curve{Ramp: &loadgen.Ramp{Over: 1}}),
		"rate.diurnal.period: 8760h": rate(
			loadgen.Curve{Diurnal: &loadgen.Diurnal{Mean: 1e6, Period: 8760 * time.Hour}}),
		"web has 0.6, mobile has 0.25, beta": func(w *loadgen.Workload) { w.Cohorts[3].Share = 0.2 },
		"some requests belong to no cohort":  func(w *loadgen.Workload) { w.Cohorts[3].Share = 0 },
		"cohorts[1].match: only": func(w *loadgen.Workload) {
			w.Cohorts[1].Match = &loadgen.LogMatch{}
		},
		"cohorts[1].cacheBuster:":      func(w *loadgen.Workload) { w.Cohorts[1].CacheBuster = "a&b" },
		"cohorts[1].bandwidth: -1":     func(w *loadgen.Workload) { w.Cohorts[1].Bandwidth = -1 },
		"cohorts[1].items: is missing": func(w *loadgen.Workload) { w.Routes[0].Path = "/{item}" },
		"cohorts[0]: has more than one": func(w *loadgen.Workload) {
			w.Cohorts[0].Zipf = &loadgen.Zipf{Routes: []string{"pay"}}
		},
	}
	for want, spoil := range cases {
		w := shop(loadgen.Curve{Constant: 1})
		spoil(&w)
		if _, err := loadgen.NewPlan(w, 1, time.Second); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got: %v", want, err)
		}
	}
	if err := shop(loadgen.Curve{}).Validate(); err == nil ||
		!strings.Contains(err.Error(), "a constant of 0, which is no traffic") {
		t.Errorf("a rate of 0: %v", err)
	}
	for _, d := range []time.Duration{-1, 1<<62 + 1} {
		if _, err := loadgen.NewPlan(shop(loadgen.Curve{Constant: 1}), 1, d); err == nil {
			t.Errorf("a plan lasts %v", d)
		}
	}
}

// FuzzPlan makes plans of any numbers that pass validation: none may panic, hang or leave its
// bounds.
func FuzzPlan(f *testing.F) {
	f.Add(1.0, 2.0, 0.5, int64(time.Second), int64(time.Second), byte(0), uint64(1))
	f.Add(0.0, 1e6, 1.0, int64(1), int64(1), byte(1), uint64(1))
	f.Add(1e-300, 0.0, 0.0, int64(1<<62), int64(1<<62), byte(4), uint64(2))
	f.Add(1e-11, 0.0, 0.0, int64(1), int64(1), byte(0), uint64(2))       // the first arrival is centuries away
	f.Add(5.0, 7.0, 0.0, int64(1<<62), int64(1<<62), byte(3), uint64(2)) // a spike that ends after the last instant
	f.Fuzz(func(t *testing.T, a, b, share float64, x, y int64, kind byte, seed uint64) {
		at, over := time.Duration(x), time.Duration(y)
		w := shop([]loadgen.Curve{
			{Constant: a}, {Ramp: &loadgen.Ramp{From: a, To: b, Over: over}},
			{Steps: []loadgen.Step{{At: at, Rate: a}, {At: over, Rate: b}}},
			{Spike: &loadgen.Spike{Base: a, Peak: b, At: at, For: over}},
			{Diurnal: &loadgen.Diurnal{Mean: a, Amplitude: b, Period: over, Phase: share}},
		}[kind%5])
		w.Cohorts[0].Share, w.Cohorts[1].Share, w.Cohorts[2].Share, w.Cohorts[3].Share = share, 1-share, 0, 0
		p, err := loadgen.NewPlan(w, seed, 1<<62)
		if err != nil {
			return
		}
		last := time.Duration(0)
		for c := p.Arrivals(); ; {
			r, ok := c.Next()
			if !ok || r.Seq > 1000 {
				return
			}
			if r.At < last || int(r.Cohort) > 1 {
				t.Fatalf("after %v: %+v", last, r)
			}
			last = r.At
		}
	})
}
