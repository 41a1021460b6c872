package attack

import (
	"math"
	"math/bits"
	"time"
)

// subBits is the binary logarithm of the number of buckets per power of two. Bucket bounds are 1/32
// apart, so a quantile is at most 3.2 % above the true value.
const subBits = 5

// buckets is enough for every non-negative duration.
const buckets = (63 - subBits + 1) << subBits

// histogram counts durations in log-linear buckets, as HDR histograms do. The zero value is empty.
type histogram struct {
	counts [buckets]uint32
	total  uint64
	max    time.Duration
}

// bucketOf returns the index of d's bucket: the position of d's highest bit, then the subBits bits
// after it.
func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

// bound returns the largest duration in bucket i.
func bound(i int) time.Duration {
	shift := max(i>>subBits-1, 0)
	next := uint64(i-shift<<subBits) + 1
	return time.Duration(next<<shift - 1)
}

// add counts d; a negative duration counts as 0.
func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.total++
	h.max = max(h.max, d)
}

// largest returns the largest duration, exactly, or 0 for an empty histogram.
func (h *histogram) largest() time.Duration { return h.max }

// quantile returns the q-quantile for 0 < q ≤ 1, or 0 for an empty histogram. It is never below the
// true value and at most 3.2 % above it.
func (h *histogram) quantile(q float64) time.Duration {
	rank := max(uint64(math.Ceil(q*float64(h.total))), 1)
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += uint64(n); seen >= rank {
			return min(bound(i), h.max)
		}
	}
	return h.max
}
