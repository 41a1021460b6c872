package event_test

import (
	"math"
	"testing"
	"time"

	"coalmine/lab/event"
)

func TestLatencyBucketsEndAtTheirBounds(t *testing.T) {
	bucket := func(d time.Duration, want int) {
		t.Helper()
		if got := event.LatencyBucket(d); got != want {
			t.Errorf("%v is in bucket %d, want %d", d, got, want)
		}
	}
	const last = event.LatencyBuckets - 1
	for i := range event.LatencyBuckets {
		bound := event.BucketBound(i)
		bucket(bound, i)
		bucket(bound+1, min(i+1, last))
		middle := bound - bound/30 // a bucket is a tenth wide
		bucket(middle, i)
	}
	for _, d := range []time.Duration{math.MinInt64, -1, 0, 1, 7, 8, 15, 16} {
		bucket(d, 0)
	}
	bucket(math.MaxInt64, last)
}
