package loadgen_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// expectFindings breaks the workload in one way at a time and expects the error.
func expectFindings(t *testing.T, whole func() loadgen.Workload, cases map[string]func(*loadgen.Workload)) {
	t.Helper()
	if err := whole().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range cases {
		w := whole()
		spoil(&w)
		if err := w.Validate(); err == nil || !strings.Contains("\n"+err.Error(), "\n"+want) {
			t.Errorf("want a finding %q, got: %v", want, err)
		}
	}
}

func TestValidateSessions(t *testing.T) {
	session := func(f func(*loadgen.Session)) func(*loadgen.Workload) {
		return func(w *loadgen.Workload) { f(w.Cohorts[0].Session) }
	}
	think := func(th loadgen.Think) func(*loadgen.Workload) {
		return session(func(s *loadgen.Session) { s.Think = th })
	}
	expectFindings(t, func() loadgen.Workload {
		return mall(loadgen.Curve{Constant: 100}, thinks()["lognormal"])
	}, map[string]func(*loadgen.Workload){
		"cohorts[0].session.length: 0.5": session(func(s *loadgen.Session) { s.Length = 0.5 }),
		"cohorts[0].session.length: NaN": session(func(s *loadgen.Session) {
			s.Length = math.NaN()
		}),
		"cohorts[0].session.length: 1e+09": session(func(s *loadgen.Session) { s.Length = 1e9 }),
		"cohorts[0].session.think: has 0":  think(loadgen.Think{}),
		"cohorts[0].session.think: has 2": think(
			loadgen.Think{Constant: 1, Pareto: &loadgen.ParetoThink{}}),
		"cohorts[0].session.think.constant: -1ns": think(loadgen.Think{Constant: -1}),
		"cohorts[0].session.think.lognormal.p50: 0s": think(
			loadgen.Think{Lognormal: &loadgen.LognormalThink{P99: 1}}),
		"cohorts[0].session.think.lognormal.p99: 1s": think(
			loadgen.Think{Lognormal: &loadgen.LognormalThink{P50: 2e9, P99: 1e9}}),
		"cohorts[0].session.think.pareto.alpha: 1 is": think(
			loadgen.Think{Pareto: &loadgen.ParetoThink{Min: 1, Alpha: 1, Max: 2}}),
		"cohorts[0].session.think.pareto.max: 1s": think(
			loadgen.Think{Pareto: &loadgen.ParetoThink{Min: 2e9, Alpha: 2, Max: 1e9}}),
		"cohorts[0].session.think.pareto.min: 0s": think(
			loadgen.Think{Pareto: &loadgen.ParetoThink{Alpha: 2, Max: 1}}),
		"cohorts[0].session.start: no route has": session(func(s *loadgen.Session) { s.Start = nil }),
		`cohorts[0].session.start: route "x"`:    session(func(s *loadgen.Session) { s.Start["x"] = 1 }),
		`cohorts[0].session.next[x]: route "x"`: session(func(s *loadgen.Session) {
			s.Next["x"] = s.Start
		}),
		`cohorts[0].session.next[home]: route "x"`: session(func(s *loadgen.Session) {
			s.Next["home"]["x"] = 1
		}),
		"cohorts[0].session.next[item]: no route has": session(func(s *loadgen.Session) {
			s.Next["item"] = nil
		}),
		`cohorts[0].session.next[reviews]: no session reaches`: session(func(s *loadgen.Session) {
			s.Next["reviews"] = s.Start
		}),
		"cohorts[0].session: about 4147200 sessions": think(loadgen.Think{Constant: 24 * time.Hour}),
		"cohorts[4].items: more than": func(w *loadgen.Workload) {
			for i := range 4 {
				c := w.Cohorts[0]
				c.Name, c.Items = c.Name+string(rune('a'+i)), &loadgen.Items{Count: 1e6, Exponent: 1}
				w.Cohorts = append(w.Cohorts[:1], append([]loadgen.Cohort{c}, w.Cohorts[1:]...)...)
			}
		},
		"cohorts[0]: has more than one": func(w *loadgen.Workload) {
			w.Cohorts[0].Mix = map[string]float64{"home": 1}
		},
		"cohorts[0].items: is missing":           func(w *loadgen.Workload) { w.Cohorts[0].Items = nil },
		"cohorts[0].items.count: 0":              func(w *loadgen.Workload) { w.Cohorts[0].Items.Count = 0 },
		"cohorts[0].items.count: 2000000":        func(w *loadgen.Workload) { w.Cohorts[0].Items.Count = 2e6 },
		"cohorts[0].items.offset: -1":            func(w *loadgen.Workload) { w.Cohorts[0].Items.Offset = -1 },
		"cohorts[0].items.exponent: -1":          func(w *loadgen.Workload) { w.Cohorts[0].Items.Exponent = -1 },
		"cohorts[3].items.exponent: 1 cannot be": func(w *loadgen.Workload) { w.Cohorts[3].Items.Exponent = 1 },
	})
}

func TestValidateOtherFields(t *testing.T) {
	whole := func() loadgen.Workload {
		w := stubborn(loadgen.Retry{Attempts: 3, Base: time.Second, Max: time.Minute,
			Budget: &loadgen.Budget{Ratio: 0.2, TTL: time.Minute}})
		w.Bursts = &loadgen.Bursts{Factor: 2, Calm: time.Second, Burst: time.Second}
		w.Cohorts[1].Mix, w.Cohorts[1].Zipf = nil, &loadgen.Zipf{Exponent: 1, Routes: []string{"home", "pay"}}
		return w
	}
	zipf := func(f func(*loadgen.Zipf)) func(*loadgen.Workload) {
		return func(w *loadgen.Workload) { f(w.Cohorts[1].Zipf) }
	}
	retry := func(f func(*loadgen.Retry)) func(*loadgen.Workload) {
		return func(w *loadgen.Workload) { f(w.Cohorts[0].Retry) }
	}
	expectFindings(t, whole, map[string]func(*loadgen.Workload){
		"bursts.factor: 1 is": func(w *loadgen.Workload) { w.Bursts.Factor = 1 },
		"bursts.factor: 1000 times": func(w *loadgen.Workload) {
			w.Bursts.Factor, w.Rate.Constant = 1000, 1e5
		},
		"bursts.calm: 0s": func(w *loadgen.Workload) { w.Bursts.Calm = 0 },
		"bursts.burst: 1µs": func(w *loadgen.Workload) {
			w.Bursts.Burst = time.Microsecond
		},
		"cohorts[1].zipf.exponent: 11":                     zipf(func(z *loadgen.Zipf) { z.Exponent = 11 }),
		"cohorts[1].zipf.routes: has 0":                    zipf(func(z *loadgen.Zipf) { z.Routes = nil }),
		`cohorts[1].zipf.routes[1]: route "x"`:             zipf(func(z *loadgen.Zipf) { z.Routes[1] = "x" }),
		`cohorts[1].zipf.routes[1]: route "home" is a dup`: zipf(func(z *loadgen.Zipf) { z.Routes[1] = "home" }),
		"cohorts[0].retry.attempts: 0":                     retry(func(r *loadgen.Retry) { r.Attempts = 0 }),
		"cohorts[0].retry.attempts: 11":                    retry(func(r *loadgen.Retry) { r.Attempts = 11 }),
		"cohorts[0].retry.base: 0s":                        retry(func(r *loadgen.Retry) { r.Base = 0 }),
		"cohorts[0].retry.max: 1ms":                        retry(func(r *loadgen.Retry) { r.Max = time.Millisecond }),
		"cohorts[0].retry.jitter: 1.5":                     retry(func(r *loadgen.Retry) { r.Jitter = 1.5 }),
		"cohorts[0].retry.on[0]: 200":                      retry(func(r *loadgen.Retry) { r.On = []int{200} }),
		"cohorts[0].retry.on[1]: 503":                      retry(func(r *loadgen.Retry) { r.On = []int{503, 503} }),
		"cohorts[0].retry.budget.ratio: -1":                retry(func(r *loadgen.Retry) { r.Budget.Ratio = -1 }),
		"cohorts[0].retry.budget.perSecond:": retry(func(r *loadgen.Retry) {
			r.Budget.PerSecond = math.Inf(1)
		}),
		"cohorts[0].retry.budget.ttl: 1ms": retry(func(r *loadgen.Retry) {
			r.Budget.TTL = time.Millisecond
		}),
		"cohorts[0].retry.budget: allows no": retry(func(r *loadgen.Retry) { r.Budget.Ratio = 0 }),
	})
	if _, err := loadgen.NewPlan(whole(), 1, 1<<62); err == nil || !strings.Contains(err.Error(), "bursts") {
		t.Errorf("a plan of 146 years with bursts: %v", err)
	}
	if _, err := loadgen.NewPlan(loadgen.Workload{}, 1, time.Hour); err == nil {
		t.Error("an empty workload makes a plan")
	}
}

func TestValidateReplays(t *testing.T) {
	first := func(f func(*loadgen.Cohort)) func(*loadgen.Workload) {
		return func(w *loadgen.Workload) { f(&w.Cohorts[0]) }
	}
	expectFindings(t, func() loadgen.Workload { return recorded() }, map[string]func(*loadgen.Workload){
		"rate: cannot be combined":          func(w *loadgen.Workload) { w.Rate.Constant = 1 },
		"bursts: cannot be combined":        func(w *loadgen.Workload) { w.Bursts = &loadgen.Bursts{} },
		"replay.log: is empty":              func(w *loadgen.Workload) { w.Replay = &loadgen.Replay{} },
		`replay.format: "xml"`:              func(w *loadgen.Workload) { w.Replay.Format = "xml" },
		"replay.speed: -1":                  func(w *loadgen.Workload) { w.Replay.Speed = -1 },
		"replay.speed: NaN":                 func(w *loadgen.Workload) { w.Replay.Speed = math.NaN() },
		`routes[0].name: "other"`:           func(w *loadgen.Workload) { w.Routes[0].Name = "other" },
		`routes[0].path: "/{item}/*"`:       func(w *loadgen.Workload) { w.Routes[0].Path = "/{item}/*" },
		`cohorts[0].name: "other"`:          first(func(c *loadgen.Cohort) { c.Name = "other" }),
		"cohorts[0].match.userAgent: missi": first(func(c *loadgen.Cohort) { c.Match.UserAgent = "(a" }),
		"cohorts[0].match.path: is longer": first(func(c *loadgen.Cohort) {
			c.Match.Path = strings.Repeat("a", 2000)
		}),
		"cohorts[0].share: cannot be combined": first(func(c *loadgen.Cohort) { c.Share = 1 }),
		"cohorts[0].users: cannot be combined": first(func(c *loadgen.Cohort) { c.Users = 1 }),
		"cohorts[0].mix: cannot be combined":   first(func(c *loadgen.Cohort) { c.Mix = map[string]float64{} }),
		"cohorts[0].cacheBuster: cannot be":    first(func(c *loadgen.Cohort) { c.CacheBuster = "a" }),
	})
}

// FuzzWorkload makes plans of any workload that passes validation: none may panic, hang or leave
// its bounds.
func FuzzWorkload(f *testing.F) {
	for _, w := range features() {
		text, err := json.Marshal(w)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, uint64(1), int64(time.Minute))
		f.Add(text, uint64(2), int64(1<<62))
	}
	f.Fuzz(func(t *testing.T, text []byte, seed uint64, d int64) {
		var w loadgen.Workload
		if json.Unmarshal(text, &w) != nil {
			return
		}
		if w.Replay != nil {
			w.Replay.Lines = []accesslog.Line{{At: time.Unix(int64(seed>>20), 0), Method: "GET", Target: "/a"},
				{At: time.Unix(9, 9), Method: "GET", Target: "/b"}}
		}
		p, err := loadgen.NewPlan(w, seed, time.Duration(d))
		if err != nil {
			return
		}
		last := time.Duration(0)
		retries := loadgen.NewRetries(p, loadgen.Shard{})
		for c := p.Arrivals(); ; {
			a, ok := c.Next()
			if !ok || a.Seq > 1000 {
				return
			}
			first, count := p.Users(int(a.Cohort))
			if a.At < last || a.At >= p.Duration() || a.User < first || a.User-first >= count ||
				!strings.HasPrefix(p.Target(a), "/") {
				t.Fatalf("after %v: %+v; users from %d, %d of them; %s", last, a, first, count, p.Target(a))
			}
			last = a.At
			retries.RecordFirst(a, a.At)
			if at, again := retries.ShouldRetry(a, 0, 503, a.At); again && at < a.At {
				t.Fatalf("a retry at %v after %v", at, a.At)
			}
		}
	})
}
