package objective_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/verdict/objective"
	"coalmine/loadgen"
	"coalmine/loadgen/results"
)

func workload() *loadgen.Workload {
	mix := map[string]float64{"catalogue": 50, "item": 40, "checkout": 10}
	return &loadgen.Workload{
		Rate: loadgen.Curve{Constant: 200},
		Routes: []loadgen.Route{{Name: "catalogue", Path: "/api/items"},
			{Name: "item", Path: "/api/items/42?from=list"},
			{Name: "checkout", Path: "/api/checkout", Method: "POST"}, {Name: "basket", Path: "/api/checkout"}},
		Cohorts: []loadgen.Cohort{{Name: "regular", Share: 0.9, Users: 2000, Mix: mix},
			{Name: "premium", Share: 0.1, Users: 100, Mix: mix},
			{Name: `odd, "one"`, Mix: mix}},
	}
}

func newLedger(t rapid.TB) *results.Results {
	t.Helper()
	p, err := loadgen.NewPlan(*workload(), 3, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	l := results.New(results.Config{Plan: p})
	l.Run.Elapsed = time.Minute
	return l
}

func parse(t rapid.TB, text string) objective.Objective {
	t.Helper()
	o, err := objective.Parse(text, workload())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"p99<500ms": "p99<500ms",
		"cohort=premium route=/api/checkout p99<500ms":     "cohort=premium route=/api/checkout p99<500ms",
		"version=v2 cohort=premium errors<1%":              "cohort=premium version=v2 errors<1%",
		"p50<=20ms,p99.9 < 1.5s , success >= 99.5 %":       "p50<=20ms, p99.9<1.5s, success>=99.5%",
		"  route=checkout\tbad<0.005\n rate>95 ":           "route=checkout bad<0.005, rate>95",
		"rate>=95.5/s mean<1m30s max<1h":                   "rate>=95.5/s, mean<1m30s, max<1h",
		`version="" p99<500 ms`:                            `version="" p99<500ms`,
		`cohort="odd, \"one\"" p99<500µs`:                  `cohort="odd, \"one\"" p99<500µs`,
		"route=/checkout errors<1%":                        "route=/checkout errors<1%",
		"4xx<1% 5XX <= 0.5% 404<0.01 2xx>99%":              "4xx<1%, 5XX<=0.5%, 404<0.01, 2xx>99%",
		"status=404<1%, status = 4xx < 5/s":                "status=404<1%, status=4xx<5/s",
		`version="!"errors<=0`:                             `version="!" errors<=0`,
		`version="<x>" errors<=0`:                          `version="<x>" errors<=0`,
		"route=/api/items/42 errors<=0":                    "route=/api/items/42 errors<=0",
		"route=/api/items/42?from=list success>=100%":      "route=/api/items/42?from=list success>=100%",
		"version=2024-05-01T10:00:00<canary> errors<=0.5%": "version=2024-05-01T10:00:00<canary> errors<=0.5%",
	} {
		if got := parse(t, text).String(); got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"": "column 1: no condition; write one such as p99<500ms, errors<1% or " +
			"success>99.5%",
		"cohort=premium":                       "column 15: no condition; write one such as",
		"cohort=premum p99<1s":                 `column 8: the workload has no cohort "premum" (did you mean premium?); it has regular, premium and odd, "one"`,
		"cohort=x p99<1s":                      `column 8: the workload has no cohort "x"; it has regular, premium and`,
		"route=chekout p99<1s":                 `column 7: the workload has no route "chekout" (did you mean checkout?); it has catalogue, item, checkout and basket`,
		"route=/api/chekout p99<1s":            `column 7: the workload has no route with path "/api/chekout" (did you mean /api/checkout?); it has /api/items, /api/items/42,`,
		"cohort= p99<1s":                       "column 8: cohort= has no name",
		`cohort="premium p99<1s`:               "column 8: the quote is not closed",
		"cohort<premium p99<1s":                "column 7: cohort selects requests: write cohort=NAME",
		"cohort=premium cohort=regular p99<1s": "column 16: cohort= is a duplicate; write two objectives",
		"p99<1s cohort=premium": "column 8: cohort= follows a condition; selectors come first and " +
			"apply to all conditions",
		"segment=premium p99<1s": `column 1: "segment" is not a metric (did you mean cohort?); the metrics are p50 to p99.99, mean, max, success, errors, bad, rate and statuses such as 4xx and 404; the selectors cohort=, route= and version= come first`,
		"p99<1s err<1%":          `column 8: "err" is not a metric`,
		"eror<1%":                `column 1: "eror" is not a metric (did you mean errors?)`,
		"avg<1s":                 `column 1: "avg" is not a metric (did you mean mean?)`,
		"P99<1s":                 `column 1: "P99" is not a metric (did you mean p99?)`,
		"p100<1s":                `column 1: "p100" is not a metric (did you mean max?)`,
		"p0<1s":                  `column 1: "p0" is not a metric`,
		"p9.9.9<1s":              `column 1: "p9.9.9" is not a metric`,
		"<1s":                    `column 1: "" is not a metric;`,
		"p99":                    "column 4: p99 has no comparison: write for example p99<500ms",
		"p99=1s":                 `column 4: "=" is not a comparison: write <, <=, > or >=`,
		"p99=<1s":                `column 4: "=<" is not a comparison`,
		"p99<":                   "column 5: p99< has no value; write for example p99<500ms",
		"errors<":                "column 8: errors< has no value; write for example errors<1%",
		"success>":               "column 9: success> has no value; write for example success>99.5%",
		"rate>":                  "column 6: rate> has no value; write for example rate>=95",
		"p99<500":                "column 5: 500 has no unit: write 500ms or 500s",
		"p99<fast":               `column 5: "fast" is not a time: write for example 500ms or 1.5s`,
		"p99<-1s":                "column 5: -1s is not over 0 and up to 1h",
		"p99<2h":                 "column 5: 2h is not over 0 and up to 1h",
		"p99<1%":                 `column 5: "1%" is not a time`,
		"errors<1": "column 8: 1 is not a fraction: write 1% for a percentage, or a " +
			"number under 1",
		"success>99.5":  "column 9: 99.5 is not a fraction: write 99.5% for a percentage",
		"success>101%":  "column 9: 101% is not a share from 0% to 100%",
		"errors<-1%":    "column 8: -1% is not a share",
		"errors<1ms":    `column 8: "1ms" is not a share: write for example 0.5% or 0.005`,
		"errors<Inf%":   `column 8: "Inf%" is not a share`,
		"errors<0x1p-3": `column 8: "0x1p-3" is not a share`,
		"errors<0%":     "column 8: a share is never under 0%: write <=",
		"success>100%":  "column 9: a share is never over 100%: write >=",
		"rate>fast":     `column 6: "fast" is not a rate: write a number of requests per second, such as 95`,
		"rate>-1":       `column 6: "-1" is not a rate`,
		"rate>1e9":      `column 6: "1e9" is not a rate`,
		"6xx<1%":        `column 1: "6xx" is not a metric`,
		"40x<1%":        `column 1: "40x" is not a metric`,
		"4040<1%":       `column 1: "4040" is not a metric`,
		"404<5ms":       `column 5: "5ms" is not a share: write for example 0.5% or 0.005`,
		"404":           "column 4: 404 has no comparison: write for example 404<1%",
		"status=404": "column 11: status=404 has no comparison: write for example " +
			"status=404<1%",
		"status=404 p99<1s": "column 12: status=404 has no comparison: write for example " +
			"status=404<1%",
		"status=p99<1s": "column 1: status=p99 is not a status: write for example " +
			"status=404<1% or 4xx<1%",
		"status<400":              `column 1: "status" is not a metric (did you mean 4xx?)`,
		"status=404=1%":           `column 11: "=" is not a comparison`,
		"version=\"a\nb\" p99<1s": "column 9: the name contains a control character",
		"version=a" + strings.Repeat(`"`, 900) + " p99<1s": "column 1: is longer than 1000 bytes with the " +
			"names in quotes",
		"µs<1s":                       `column 1: "µs" is not a metric`,
		"p99<10µs µs<1s":              `column 10: "µs" is not a metric`,
		strings.Repeat("p99<1s ", 21): "column 147: more than 20 conditions; write several objectives",
		strings.Repeat("p", 1001):     "is longer than 1000 bytes or not valid UTF-8",
		"p99<1s\xff":                  "is longer than 1000 bytes or not valid UTF-8",
	} {
		_, err := objective.Parse(text, workload())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v\nwant %s", text, err, want)
		}
	}
}

func TestLongListsAreAbbreviated(t *testing.T) {
	w := workload()
	for i := range 20 {
		w.Routes = append(w.Routes, loadgen.Route{Name: fmt.Sprint("route-", i), Path: "/"})
	}
	_, err := objective.Parse("route=none p99<1s", w)
	if want := "route-5 and 14 more"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %v, want … %s", err, want)
	}
}

// An objective that was parsed can be formatted and parsed again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"cohort=premium route=/api/checkout p99<500ms",
		`version="a b" errors<=0.5%, success>99 %`, "rate>=95/s mean<1m30s", `cohort="odd, \"one\"" p1<1s`,
		`version="!"errors<=0`, "4xx<1% status=404<5/s"} {
		f.Add(text)
	}
	w := workload()
	f.Fuzz(func(t *testing.T, text string) {
		o, err := objective.Parse(text, w)
		if err != nil {
			return
		}
		again, err := objective.Parse(o.String(), w)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, o.String(), err)
		}
		if again.String() != o.String() {
			t.Errorf("%q became %q", o.String(), again.String())
		}
	})
}

// requests adds outcomes of the premium cohort on checkout.
func requests(r *results.Results, n int, version string, change func(i int, o *loadgen.Outcome)) {
	for i := range n {
		o := loadgen.Outcome{Arrival: loadgen.Arrival{Cohort: 1, Route: 2}, Final: true, Status: 200, Version: version,
			Latency: 20 * time.Millisecond}
		if change != nil {
			change(i, &o)
		}
		r.Add(&o)
	}
}

func slowFirst(n int) func(int, *loadgen.Outcome) {
	return func(i int, o *loadgen.Outcome) {
		if i < n {
			o.Latency = time.Second
		}
	}
}

func failFirst(n int, status uint16) func(int, *loadgen.Outcome) {
	return func(i int, o *loadgen.Outcome) {
		if i < n {
			o.Status = status
		}
	}
}

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		fill   func(*results.Results)
		want   objective.State
		reason string
	}{
		"nothing": {"p99<500ms", func(*results.Results) {}, objective.Inconclusive, "no request has ended"},
		"nobody": {"cohort=regular route=checkout p99<500ms", func(r *results.Results) {
			requests(r, 5, "v1", nil)
		}, objective.Inconclusive,
			"no request of cohort regular on route checkout has ended"},
		"no such version": {"version=v3 p99<500ms", func(r *results.Results) {
			requests(r, 5, "v2", nil)
			requests(r, 5, "v1", nil)
			requests(r, 1, "", nil)
		},
			objective.Inconclusive, `no request by version "v3" (versions: v1 and v2) has ended`},
		"no versions": {"version=v3 p99<500ms", func(r *results.Results) { requests(r, 5, "", nil) },
			objective.Inconclusive, `no request by version "v3" (no response named its version) has ended`},
		"quantile met": {"p99<500ms", func(r *results.Results) {
			requests(r, 1000, "v1", slowFirst(10))
		}, objective.Met,
			"p99 of 1 000 requests is 20 ms, under 500ms"},
		"quantile violated": {"p99<500ms", func(r *results.Results) {
			requests(r, 1000, "v1", slowFirst(11))
		}, objective.Violated,
			"p99 of 1 000 requests is 1 s, not under 500ms: 1.1 % took longer"},
		"few, all in time": {"p99<500ms", func(r *results.Results) {
			requests(r, 20, "v1", nil)
		}, objective.Met, "p99 of 20 requests is 20 ms, under 500ms"},
		"few, one slow": {"p99<500ms", func(r *results.Results) {
			requests(r, 99, "v1", slowFirst(1))
		}, objective.Inconclusive,
			"p99 of 99 requests is 1 s, not under 500ms: 1.0 % took longer; measuring p99 takes at least 100 requests"},
		"few, many slow": {"p99<500ms", func(r *results.Results) {
			requests(r, 50, "v1", slowFirst(3))
		}, objective.Violated,
			"p99 of 50 requests is 1 s, not under 500ms: 6.0 % took longer"},
		"few, many as slow as the limit": {"p99<1s", func(r *results.Results) {
			requests(r, 50, "v1", slowFirst(3))
		}, objective.Violated, "p99 of 50 requests is 1 s, not under 1s"},
		"just enough": {"p90<500ms", func(r *results.Results) {
			requests(r, 10, "v1", slowFirst(2))
		}, objective.Violated, "p90 of 10 requests is 1 s, not under 500ms"},
		"enough, one too slow": {"p99<500ms", func(r *results.Results) {
			requests(r, 100, "v1", slowFirst(2))
		}, objective.Violated,
			"p99 of 100 requests is 1 s, not under 500ms: 2.0 % took longer"},
		"few, to be slow": {"p99>500ms", func(r *results.Results) {
			requests(r, 50, "v1", nil)
		}, objective.Inconclusive, "measuring p99 takes at least 100 requests"},
		"many, to be slow": {"p99>=500ms", func(r *results.Results) {
			requests(r, 500, "v1", nil)
		}, objective.Violated, "p99 of 500 requests is 20 ms, not at least 500ms"},
		"limit itself, strict": {"max<20ms", func(r *results.Results) {
			requests(r, 1, "v1", nil)
		}, objective.Violated, "max of 1 request is 20 ms, not under 20ms"},
		"limit itself, not strict": {"max<=20ms", func(r *results.Results) {
			requests(r, 1, "v1", nil)
		}, objective.Met, "max of 1 request is 20 ms, at most 20ms"},
		"mean": {"mean>20ms", func(r *results.Results) {
			requests(r, 10, "v1", slowFirst(1))
		}, objective.Met, "mean of 10 requests is 118 ms, over 20ms"},
		"share met": {"errors<1%", func(r *results.Results) {
			requests(r, 10_000, "v1", failFirst(50, 503))
		}, objective.Met,
			"errors are 0.50 % of 10 000 requests (95 % interval 0.37 % to 0.66 %), under 1%"},
		"share met by chance": {"errors<1%", func(r *results.Results) {
			requests(r, 1000, "v1", failFirst(9, 0))
		}, objective.Met,
			"errors are 0.90 % of 1 000 requests (95 % interval 0.41 % to 1.7 %), under 1%; the limit is within the " +
				"interval, so another run may differ"},
		"share at the limit": {"errors<=0.3%", func(r *results.Results) {
			requests(r, 1000, "v1", failFirst(3, 500))
		}, objective.Met, "at most 0.3%"},
		"share violated": {"errors<0.01", func(r *results.Results) {
			requests(r, 1000, "v1", failFirst(10, 500))
		}, objective.Violated,
			"errors are 1.0 % of 1 000 requests (95 % interval 0.48 % to 1.8 %), not under 0.01; the limit is within " +
				"the interval"},
		"one error of few": {"errors<1%", func(r *results.Results) {
			requests(r, 5, "v1", failFirst(1, 500))
		}, objective.Inconclusive,
			"errors are 20 % of 5 requests (95 % interval 0.51 % to 72 %), not under 1%; the limit is within the " +
				"interval, so another run may differ; measuring a share of 1% takes at least 100 requests"},
		"many errors of few": {"errors<1%", func(r *results.Results) {
			requests(r, 5, "v1", failFirst(3, 500))
		}, objective.Violated, "errors are 60 % of 5 requests"},
		"no error of few": {"errors<1%", func(r *results.Results) {
			requests(r, 5, "v1", nil)
		}, objective.Met, "errors are 0 % of 5 requests (95 % interval 0 % to 52 %), under 1%"},
		"no error at all": {"errors<=0", func(r *results.Results) {
			requests(r, 5, "v1", failFirst(1, 500))
		}, objective.Violated, "not at most 0"},
		"denied is bad": {"bad<=1%", func(r *results.Results) {
			requests(r, 200, "v1", failFirst(3, 403))
		}, objective.Violated, "bad is 1.5 % of 200 requests"},
		"denied is no error": {"errors<=0%", func(r *results.Results) {
			requests(r, 200, "v1", failFirst(3, 403))
		}, objective.Met, "errors are 0 % of 200 requests"},
		"denied is no success": {"success>=99.5%", func(r *results.Results) {
			requests(r, 200, "v1", failFirst(1, 403))
		}, objective.Met,
			"success is 99.50 % of 200 requests (95 % interval 97.2 % to 99.987 %), at least 99.5%"},
		"few successes": {"success>=99.5%", func(r *results.Results) {
			requests(r, 199, "v1", failFirst(1, 500))
		}, objective.Inconclusive, "measuring a share of 99.5% takes at least 200 requests"},
		"too few successes of few": {"success>=99.5%", func(r *results.Results) {
			requests(r, 199, "v1", failFirst(10, 500))
		}, objective.Violated, "success is 95.0 % of 199 requests"},
		"rate": {"rate>=2", func(r *results.Results) {
			requests(r, 120, "v1", nil)
		}, objective.Met, "rate is 2.0 per second (120 requests in 60 s), at least 2"},
		"rate missed": {"rate>2/s", func(r *results.Results) {
			requests(r, 120, "v1", nil)
		}, objective.Violated, "not over 2/s"},
		"no time": {"rate>2", func(r *results.Results) {
			r.Run.Elapsed = 0
			requests(r, 1, "v1", func(_ int, o *loadgen.Outcome) { o.Latency = 0 })
		}, objective.Inconclusive, "no rate"},
		"retries do not count": {"errors<=0", func(r *results.Results) {
			requests(r, 20, "v1", func(i int, o *loadgen.Outcome) {
				o.Final, o.Status = i%2 == 1, uint16(503-303*(i%2))
			})
		},
			objective.Met, "errors are 0 % of 10 requests"},
		"all hold": {"p99<500ms errors<1%", func(r *results.Results) {
			requests(r, 1000, "v1", nil)
		}, objective.Met, "p99 of 1 000 requests is 20 ms, under 500ms; errors are 0 %"},
		"one is unclear": {"p99<500ms max<2s", func(r *results.Results) {
			requests(r, 99, "v1", slowFirst(1))
		}, objective.Inconclusive, "max of 99 requests is 1 s, under 2s"},
		"one is violated": {"max<1ms p99<500ms errors<1%", func(r *results.Results) {
			requests(r, 99, "v1", slowFirst(1))
		}, objective.Violated, "max of 99 requests is 1 s, not under 1ms"},
		"the path of two routes": {"route=/api/checkout rate>=1", func(r *results.Results) {
			requests(r, 30, "v1", nil)
			requests(r, 30, "v1", func(_ int, o *loadgen.Outcome) { o.Arrival.Route = 3 })
			requests(r, 30, "v1", func(_ int, o *loadgen.Outcome) { o.Arrival.Route = 0 })
		}, objective.Met, "rate is 1.0 per second (60 requests in 60 s)"},
		"4xx met": {"4xx<=3%", func(r *results.Results) { requests(r, 200, "v1", failFirst(3, 404)) }, objective.Met,
			"4xx responses are 1.5 % of 200 requests (95 % interval 0.31 % to 4.3 %), at most 3%"},
		"4xx violated": {"4xx<1%", func(r *results.Results) {
			requests(r, 200, "v1", failFirst(3, 404))
		}, objective.Violated,
			"4xx responses are 1.5 % of 200 requests"},
		"403 is a 4xx": {"4xx<1%", func(r *results.Results) {
			requests(r, 200, "v1", failFirst(3, 403))
		}, objective.Violated, "4xx responses are 1.5 %"},
		"500 is no 4xx": {"4xx<1%", func(r *results.Results) {
			requests(r, 200, "v1", failFirst(3, 500))
		}, objective.Met, "4xx responses are 0 %"},
		"one status": {"status=404<1%", func(r *results.Results) {
			requests(r, 200, "v1", failFirst(3, 404))
		}, objective.Violated, "404 responses are 1.5 %"},
		"another status": {"404<1%", func(r *results.Results) {
			requests(r, 200, "v1", failFirst(3, 400))
		}, objective.Met, "404 responses are 0 %"},
		"2xx": {"2xx>99%", func(r *results.Results) {
			requests(r, 200, "v1", failFirst(3, 0))
		}, objective.Violated, "2xx responses are 98.5 %"},
		"status per second": {"404<1/s", func(r *results.Results) {
			requests(r, 200, "v1", failFirst(90, 404))
		}, objective.Violated,
			"rate of 404 responses is 1.5 per second (90 requests in 60 s), not under 1/s"},
		"a refused request is no success": {"success>99%", func(r *results.Results) {
			requests(r, 21, "v1", failFirst(21, 400))
		}, objective.Violated, "success is 0 % of 21 requests"},
		"selected": {"cohort=premium route=item version=v2 errors<=0", func(r *results.Results) {
			requests(r, 10, "v2", failFirst(10, 500))
			requests(r, 10, "v1", func(_ int, o *loadgen.Outcome) { o.Arrival.Route, o.Status = 1, 500 })
			requests(r, 10, "v2", func(_ int, o *loadgen.Outcome) {
				o.Arrival.Cohort, o.Arrival.Route, o.Status = 0, 1, 500
			})
			requests(r, 7, "v2", func(_ int, o *loadgen.Outcome) { o.Arrival.Route = 1 })
		}, objective.Met, "errors are 0 % of 7 requests"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			c.fill(l)
			v := parse(t, c.text).Judge(l)
			if v.State != c.want || !strings.Contains(v.Sentence(), c.reason) {
				t.Errorf("%s: %s\nwant %s: %s", v.State, v.Sentence(), c.want, c.reason)
			}
		})
	}
}

func TestVerdictJSON(t *testing.T) {
	l := newLedger(t)
	requests(l, 200, "v1", failFirst(3, 500))
	v := parse(t, "cohort=premium p50<500ms errors<1%, rate>1").Judge(l)
	p50, errors, rate := 0.02, 0.015, 200.0/60
	want := objective.Verdict{Objective: "cohort=premium p50<500ms, errors<1%, rate>1", State: objective.Violated,
		Requests: 200, Conditions: []objective.Judged{
			{Condition: "p50<500ms", State: objective.Met, Value: &p50,
				Sentence: "p50 of 200 requests is 20 ms, under 500ms"},
			{Condition: "errors<1%", State: objective.Violated, Value: &errors, Sentence: v.Conditions[1].Sentence},
			{Condition: "rate>1", State: objective.Met, Value: &rate,
				Sentence: "rate is 3.3 per second (200 requests in 60 s), over 1"},
		}}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
