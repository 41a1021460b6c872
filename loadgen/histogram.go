package loadgen

import (
	"math"
	"math/bits"
	"time"
)

// subBits is the logarithm of the number of buckets per power of two: bounds are 1/32 apart, so that a quantile is at most
// 3.2 % over the truth.
const subBits = 5

// buckets covers every duration that is not negative.
const buckets = (63 - subBits + 1) << subBits

// Histogram counts latencies in log-linear buckets, as HDR histograms do. The zero value is empty; histograms can be added.
type Histogram struct {
	counts [buckets]uint32
	total  uint64
	sum    float64 // ns
	max    time.Duration
}

// bucketOf returns the index of the bucket of d: the position of d's highest bit, then the subBits bits after it.
func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

// bound returns the largest duration of a bucket.
func bound(i int) time.Duration {
	shift := max(i>>subBits-1, 0)
	next := uint64(i-shift<<subBits) + 1
	return time.Duration(next<<shift - 1)
}

// Add counts one latency; negative ones count as 0.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.total++
	h.sum += float64(d)
	h.max = max(h.max, d)
}

// Merge adds the counts of another histogram.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// Count is the number of latencies.
func (h *Histogram) Count() uint64 { return h.total }

// Max is the largest latency, exactly; 0 when there is none.
func (h *Histogram) Max() time.Duration { return h.max }

// Mean is the mean latency, 0 when there is none.
func (h *Histogram) Mean() time.Duration {
	if h.total == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.total))
}

// Quantile returns the q-quantile, 0 < q ≤ 1: at most 3.2 % over the truth and never under it; 0 when there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := max(uint64(math.Ceil(q*float64(h.total))), 1)
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += uint64(n); seen >= rank {
			return min(bound(i), h.max)
		}
	}
	return h.max
}
