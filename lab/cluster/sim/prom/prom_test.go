package prom_test

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"coalmine/lab/cluster/sim/prom"
)

var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func open(t *testing.T) *prom.DB {
	t.Helper()
	db := prom.Open()
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// labelled is a series with a name and labels.
type labelled struct {
	name   string
	labels []prom.Label
}

func (s labelled) Label(name string) string {
	for _, l := range s.Labels() {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

func (s labelled) Labels() []prom.Label {
	return append([]prom.Label{{Name: "__name__", Value: s.name}}, s.labels...)
}

// counter returns a source of one series, which disappears when its value is negative.
func counter(name string, v *float64, ls ...prom.Label) prom.Source {
	return func(s *prom.Scrape) {
		if *v >= 0 {
			sample(s, int(name[0]), *v, labelled{name, ls})
		}
	}
}

// sample adds a sample of a series, which it defines if necessary.
func sample(s *prom.Scrape, number int, v float64, x labelled) {
	if !s.Knows(number) {
		s.Define(number, []prom.Series{x})
	}
	s.Values(number)[0] = v
}

func value(t *testing.T, db *prom.DB, q string, at time.Time) float64 {
	t.Helper()
	v, err := db.Query(context.Background(), q, at)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	if len(v) == 0 {
		return math.NaN()
	}
	return v[0].F
}

func TestRateOfScrapes(t *testing.T) {
	db := open(t)
	n := 0.0
	at := start
	for range 12 {
		at = at.Add(prom.ScrapeInterval)
		n += 50
		if err := db.Scrape(at, counter("response_total", &n, prom.Label{Name: "deployment", Value: "podinfo"},
			prom.Label{Name: "empty"})); err != nil {
			t.Fatal(err)
		}
	}
	if got := value(t, db, `sum(rate(response_total{deployment=~"podinfo",empty=""}[1m]))`, at); math.Abs(
		got-5) > 1e-9 {
		t.Errorf("rate of 50 in 10 s: got %v, want 5", got)
	}
	if v, err := db.Query(context.Background(), "response_total", at); err != nil || len(v) != 1 ||
		v[0].Metric.Has("empty") {
		t.Errorf("%v, %v: an empty label must equal an absent one", v, err)
	}
	// regular expressions are anchored: a prefix does not match
	if got := value(t, db, `sum(rate(response_total{deployment=~"pod"}[1m]))`, at); !math.IsNaN(got) {
		t.Errorf("an anchored regex matched a prefix: %v", got)
	}
}

func TestMissingSeriesIsStale(t *testing.T) {
	db := open(t)
	n, other := 1.0, 1.0
	at := start
	scrape := func() {
		at = at.Add(prom.ScrapeInterval)
		if err := db.Scrape(at, counter("a", &n), counter("b", &other)); err != nil {
			t.Fatal(err)
		}
	}
	scrape()
	if got := value(t, db, "a", at); got != 1 {
		t.Fatalf("a = %v", got)
	}
	n = -1 // the source no longer has the series
	scrape()
	if got := value(t, db, "a", at); !math.IsNaN(got) {
		t.Errorf("a is missing, but still reads %v within the lookback", got)
	}
	n = 7
	scrape()
	if got := value(t, db, "a", at); got != 7 {
		t.Errorf("after its return a = %v, want 7", got)
	}
}

func TestScrapeOutOfOrderIsAnError(t *testing.T) {
	db := open(t)
	n := 1.0
	if err := db.Scrape(start.Add(time.Minute), counter("a", &n)); err != nil {
		t.Fatal(err)
	}
	if err := db.Scrape(start, counter("a", &n)); err == nil {
		t.Error("no error from a scrape older than the last one")
	}
}

func TestRegistrySource(t *testing.T) {
	db := open(t)
	reg := prometheus.NewRegistry()
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flagger_canary_weight"}, []string{"workload"})
	reg.MustRegister(g)
	g.WithLabelValues("backend").Set(25)
	g.WithLabelValues("backend-primary").Set(75)
	if err := db.Scrape(start, prom.RegistrySource(reg, prom.Label{Name: "job", Value: "flagger"})); err != nil {
		t.Fatal(err)
	}
	if got := value(t, db, `flagger_canary_weight{workload="backend",job="flagger"}`, start); got != 25 {
		t.Errorf("got %v, want 25", got)
	}
	if got := value(t, db, `flagger_canary_weight{workload="backend-primary",job="flagger"}`, start); got != 75 {
		t.Errorf("got %v, want 75", got)
	}
}

func TestHTTP(t *testing.T) {
	db := open(t)
	n, m := 3.0, 5.0
	if err := db.Scrape(start, counter("a", &n), counter("b", &m, prom.Label{Name: "pod", Value: "b"})); err != nil {
		t.Fatal(err)
	}
	var seen []prom.QueryResult
	rt := db.RoundTripper(func() time.Time { return start },
		func(_ *http.Request, a prom.QueryResult) { seen = append(seen, a) })
	get := func(path string) *http.Response {
		r, err := rt.RoundTrip(httptest.NewRequest(http.MethodGet, path, nil))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		query  string
		status int
		value  float64
	}{
		{"a", 200, 3}, {"a or b", 200, 5}, {"vector(1)", 200, 1}, {"2 + 2", 200, 4},
		{"absent_metric", 200, math.NaN()}, {"a / 0 - a / 0", 200, math.NaN()},
		{"a{", 422, math.NaN()}, {"a[1m]", 422, math.NaN()}, {`"text"`, 422, math.NaN()},
	} {
		seen = nil
		if r := get("/api/v1/query?query=" + url.QueryEscape(c.query)); r.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.query, r.StatusCode, c.status)
		}
		switch {
		case len(seen) != 1:
			t.Errorf("%s: observed %d results", c.query, len(seen))
		case math.IsNaN(c.value) && seen[0].Value != nil:
			t.Errorf("%s: value %v, want none", c.query, *seen[0].Value)
		case !math.IsNaN(c.value) && (seen[0].Value == nil || *seen[0].Value != c.value):
			t.Errorf("%s: value %v, want %v", c.query, seen[0].Value, c.value)
		}
	}
	if r := get("/api/v1/query_range?query=a"); r.StatusCode != 404 {
		t.Errorf("query_range: status %d, want 404", r.StatusCode)
	}
}
