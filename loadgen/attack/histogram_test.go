package attack

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestHistogramQuantiles compares with exact quantiles.
func TestHistogramQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Int64Range(0, math.MaxInt64), 1, 200).Draw(t, "durations")
		shift := rapid.IntRange(0, 62).Draw(t, "shift")
		var h histogram
		for i := range list {
			list[i] >>= shift
			h.add(time.Duration(list[i]))
		}
		slices.Sort(list)
		for _, q := range []float64{0.01, 0.5, 0.9, 1} {
			exact := float64(list[max(int(math.Ceil(q*float64(len(list)))), 1)-1])
			if got := float64(h.quantile(q)); got < exact || got > exact*1.032 {
				t.Fatalf("%g-quantile %g, want %g", q, got, exact)
			}
		}
		if int64(h.largest()) != list[len(list)-1] {
			t.Fatalf("largest %d", h.largest())
		}
	})
}

func BenchmarkHistogram(b *testing.B) {
	var h histogram
	for i := time.Duration(0); b.Loop(); i++ {
		h.add(i * 977 % time.Second)
	}
}
