package prom_test

import (
	"math"
	"strings"
	"testing"

	"coalmine/lab/cluster/sim/prom"
)

// Prometheus answers these; so does the engine here, without a panic.
func TestUnusualQueries(t *testing.T) {
	db, v, at := open(t), 0.0, start
	for range 12 {
		v++
		at = at.Add(prom.ScrapeInterval)
		if err := db.Scrape(at, counter("requests_total", &v)); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]float64{
		"max_over_time(sum(requests_total)[1m:])": 12,
		"requests_total / 0":                      math.Inf(1),
		"-1 * requests_total / 0":                 math.Inf(-1),
		"quantile(99, requests_total)":            math.Inf(1),
	} {
		if got := value(t, db, query, at); got != want {
			t.Errorf("%s is %v, want %v", query, got, want)
		}
	}
}

// The text of labels is bounded, and costs.
func TestLabelTextIsBounded(t *testing.T) {
	db, v, at := open(t), 1.0, start
	if err := db.Scrape(at, counter("requests_total", &v)); err != nil {
		t.Fatal(err)
	}
	double := func(n int) string {
		q := `requests_total`
		for range n {
			q = `label_replace(` + q + `, "x", "$1$1", "x", "(.*)")`
		}
		return q
	}
	join := `label_join(requests_total, "x", "` + strings.Repeat("-", 6000) + `", "a", "b", "c")`
	for query, allowed := range map[string]bool{double(2): true, double(9): false, join: false} {
		_, err := db.Query(t.Context(), query, at)
		if (err == nil) != allowed {
			t.Errorf("%.60s…: %v", query, err)
		}
	}
}
