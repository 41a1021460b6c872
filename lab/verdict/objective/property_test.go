package objective_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/lab/verdict/objective"
	"coalmine/loadgen"
)

// TestJudgeAgainstSamples draws requests and one condition, and judges by the raw samples. The
// limit is far enough from the measured value that the histogram's 0.1 % does not matter.
func TestJudgeAgainstSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLedger(t)
		var waits []float64
		failed, bad := 0, 0
		n := rapid.IntRange(1, 400).Draw(t, "requests")
		errorRate := rapid.SampledFrom([]int{0, 2, 10, 50}).Draw(t, "errors of 100")
		requests(l, n, "v1", func(_ int, o *loadgen.Outcome) {
			o.Latency = time.Duration(rapid.IntRange(1, 100_000).Draw(t, "latency")) * time.Microsecond
			if rapid.IntRange(0, 99).Draw(t, "luck") < errorRate {
				o.Status = rapid.SampledFrom([]uint16{500, 0, 403}).Draw(t, "status")
			}
			waits = append(waits, o.Latency.Seconds())
			if o.Failed() {
				failed++
			}
			if o.Status != 200 {
				bad++
			}
		})
		slices.Sort(waits)
		share := func(k int) float64 { return float64(k) / float64(n) }
		percentile := rapid.SampledFrom([]int{1, 50, 90, 95, 99}).Draw(t, "percentile")
		op := rapid.SampledFrom([]string{"<", "<=", ">", ">="}).Draw(t, "operator")
		limit := fmt.Sprintf("%dus", rapid.IntRange(1, 100_000).Draw(t, "µs"))
		percent := fmt.Sprintf("%d%%", rapid.IntRange(1, 99).Draw(t, "limit"))
		d, _ := time.ParseDuration(limit)
		p, _ := strconv.ParseFloat(percent[:len(percent)-1], 64)
		mean := 0.0
		for _, w := range waits {
			mean += w / float64(n)
		}
		for _, c := range []struct {
			metric, limit string
			value, bound  float64
			enough        bool
		}{
			{fmt.Sprint("p", percentile), limit, waits[(percentile*n+99)/100-1], d.Seconds(),
				n*min(percentile, 100-percentile) >= 100},
			{"mean", limit, mean, d.Seconds(), true},
			{"max", limit, waits[n-1], d.Seconds(), true},
			{"errors", percent, share(failed), p / 100, float64(n)*min(p, 100-p) >= 100},
			{"bad", percent, share(bad), p / 100, float64(n)*min(p, 100-p) >= 100},
			{"success", percent, 1 - share(bad), p / 100, float64(n)*min(p, 100-p) >= 100},
		} {
			v := parse(t, c.metric+op+c.limit).Judge(l)
			if got := *v.Conditions[0].Value; math.Abs(got-c.value) > c.value*0.001+1e-9 || v.Requests != int64(n) {
				t.Fatalf("%s is %v of %d, want %v of %d", c.metric, got, v.Requests, c.value, n)
			}
			if math.Abs(c.value-c.bound) <= c.bound*0.001+1e-9 {
				continue
			}
			holds := c.value < c.bound
			if op[0] == '>' {
				holds = !holds
			}
			want := []objective.State{objective.Met}
			if !holds {
				want = []objective.State{objective.Violated}
			}
			if !holds && !c.enough {
				want = append(want, objective.Inconclusive)
			}
			if !slices.Contains(want, v.State) {
				t.Fatalf("%s%s%s is %s, want %v: %s", c.metric, op, c.limit, v.State, want, v.Sentence())
			}
		}
	})
}
