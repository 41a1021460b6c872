package event

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"
	"time"
)

// LatencyBuckets is the number of buckets of a latency histogram. They cover almost five hours;
// longer latencies count in the last bucket.
const LatencyBuckets = 200

// Each bucket's bound is 10 % above that of the previous one, so a quantile is at most 10 % too
// high.
const (
	latencyGrowth = 1.1
	latencyUnit   = 100 * time.Microsecond // upper bound of bucket 0
)

// latencyBounds are the buckets' upper bounds, ascending. They are computed by multiplication,
// which gives the same results on every machine; logarithms do not.
var latencyBounds = sync.OnceValue(func() *[LatencyBuckets]time.Duration {
	var bounds [LatencyBuckets]time.Duration
	b := float64(latencyUnit)
	for i := range bounds {
		bounds[i] = time.Duration(b)
		b *= latencyGrowth
	}
	return &bounds
})

// BucketCount is one non-empty bucket of a latency histogram: [index, count] in the log.
type BucketCount struct {
	Bucket int
	Count  int
}

// LatencyBucket returns the index of the bucket that contains d: bucket i ends at 100 µs · 1.1^i.
func LatencyBucket(d time.Duration) int {
	bounds, i := latencyBounds(), int(firstBuckets()[octave(d)])
	for i < LatencyBuckets-1 && bounds[i] < d {
		i++
	}
	return i
}

// octave numbers eighths of the octaves of positive durations, by their four highest bits.
func octave(d time.Duration) int {
	n := uint64(max(d, 8))
	length := bits.Len64(n)
	return length<<3 | int(n>>(length-4)&7)
}

// firstBuckets has, by octave, a bucket of its shortest duration, where the search begins.
var firstBuckets = sync.OnceValue(func() *[64 << 3]uint8 {
	var first [64 << 3]uint8
	for i := range first {
		if length := i >> 3; length >= 4 {
			shortest := time.Duration(8|i&7) << (length - 4)
			bucket, _ := slices.BinarySearch(latencyBounds()[:], shortest)
			first[i] = uint8(min(bucket, LatencyBuckets-1))
		}
	}
	return &first
})

// BucketBound returns the upper bound of a bucket.
func BucketBound(i int) time.Duration { return latencyBounds()[min(max(i, 0), LatencyBuckets-1)] }

// Quantile returns the q-quantile (0 < q ≤ 1) of the sum of sparse histograms: the upper bound of
// the bucket that contains it, or 0 if all are empty.
func Quantile(q float64, hs ...[]BucketCount) time.Duration {
	var counts []int
	total := 0
	for _, h := range hs {
		for _, b := range h {
			for len(counts) <= b.Bucket {
				counts = append(counts, 0)
			}
			counts[b.Bucket] += b.Count
			total += b.Count
		}
	}
	if total == 0 {
		return 0
	}
	rank := max(int(math.Ceil(q*float64(total))), 1)
	for i, c := range counts {
		if rank -= c; rank <= 0 {
			return BucketBound(i)
		}
	}
	return BucketBound(len(counts) - 1)
}

// MarshalJSON writes [bucket, count].
func (b BucketCount) MarshalJSON() ([]byte, error) { return b.append(nil), nil }

// UnmarshalJSON reads [bucket, count].
func (b *BucketCount) UnmarshalJSON(data []byte) error {
	var pair [2]int
	if err := json.Unmarshal(data, &pair); err != nil {
		return fmt.Errorf("latency bucket: want [index, count]: %w", err)
	}
	if pair[0] < 0 || pair[0] >= LatencyBuckets || pair[1] < 0 {
		return fmt.Errorf("latency bucket [%d,%d] is out of range", pair[0], pair[1])
	}
	b.Bucket, b.Count = pair[0], pair[1]
	return nil
}
