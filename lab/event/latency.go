package event

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// latencyGrowth is the ratio of neighbouring bucket bounds: quantiles read from buckets are within 5 % of the truth.
const latencyGrowth = 1.1

// latencyUnit is the upper bound of bucket 0.
const latencyUnit = 100 * time.Microsecond

// BucketCount is one filled bucket of a latency histogram: [index, count] on the wire.
type BucketCount struct {
	Bucket int
	Count  int
}

// LatencyBucket returns the index of the bucket that holds d: bucket i ends at 100 µs · 1.1^i.
func LatencyBucket(d time.Duration) int {
	if d <= latencyUnit {
		return 0
	}
	return int(math.Ceil(math.Log(float64(d)/float64(latencyUnit)) / math.Log(latencyGrowth)))
}

// BucketBound returns the upper bound of a bucket.
func BucketBound(i int) time.Duration {
	return time.Duration(float64(latencyUnit) * math.Pow(latencyGrowth, float64(i)))
}

// Quantile returns the q-quantile (0 < q ≤ 1) of sparse histograms laid over each other: the upper bound of the bucket
// that holds it, or 0 when all are empty.
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
func (b BucketCount) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "[%d,%d]", b.Bucket, b.Count), nil
}

// UnmarshalJSON reads [bucket, count].
func (b *BucketCount) UnmarshalJSON(data []byte) error {
	var pair [2]int
	if err := json.Unmarshal(data, &pair); err != nil {
		return fmt.Errorf("latency bucket: want [index, count]: %w", err)
	}
	const most = 1000 // 100 µs · 1.1^1000 is beyond any duration
	if pair[0] < 0 || pair[0] > most || pair[1] < 0 {
		return fmt.Errorf("latency bucket [%d,%d] is out of range", pair[0], pair[1])
	}
	b.Bucket, b.Count = pair[0], pair[1]
	return nil
}
