package promeval_test

import (
	"math"
	"strings"
	"testing"

	"coalmine/lab/guardrail/promeval"
)

func TestEvaluate(t *testing.T) {
	store := promeval.Store{
		{Labels: map[string]string{"__name__": "requests_total", "code": "200"}, PerSecond: 90},
		{Labels: map[string]string{"__name__": "requests_total", "code": "500", "user": promeval.Any}, PerSecond: 10},
	}
	for _, c := range []struct {
		query string
		store promeval.Store
		want  float64
		ok    bool
	}{
		{`sum(rate(requests_total[1m]))`, store, 100, true},
		{`sum(rate(requests_total{code="500",user="ann"}[1m])) / sum(rate(requests_total[1m]))`, store, 0.1, true},
		{`sum(rate(requests_total{code="404"}[1m]))`, store, 0, false},
		{`sum(rate(requests_total[1m])) or vector(3)`, nil, 3, true},
		{`(sum(rate(requests_total[1m])) or vector(0)) / sum(rate(requests_total[1m]))`, nil, 0, false},
		{`vector(0) / vector(0)`, nil, math.NaN(), true},
		{`sum by (`, store, 0, false},
		{strings.Repeat("1+", 10_000) + "1", store, 0, false},
	} {
		got, ok := promeval.New().Evaluate(c.query, c.store)
		same := math.Abs(got-c.want) < 1e-9 || math.IsNaN(got) && math.IsNaN(c.want)
		if ok != c.ok || ok && !same {
			t.Errorf("%.60s is %v, %v; want %v, %v", c.query, got, ok, c.want, c.ok)
		}
	}
}
