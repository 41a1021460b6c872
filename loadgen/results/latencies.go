package results

import (
	"iter"
	"math"
	"math/bits"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Parameters of the histograms: microseconds up to an hour, to three significant digits. They are
// part of the document format.
const (
	lowest  = 1
	longest = time.Hour
	highest = int64(longest / time.Microsecond)
	digits  = 3
	// linear is the value up to which each microsecond has its own bucket: the power of two from
	// 2·10^digits on. Above, each doubling has linear/2 buckets.
	linear = 2048
)

// Latencies is an HDR histogram of times in µs (Tene, hdrhistogram.org), with their exact sum and
// maximum.
//
// It is packed: a dense histogram takes 184 KiB, of which a cell with a thousand requests would
// fill one percent. Adding is slower in return, some 80 ns instead of 10 if thousands of buckets
// are filled.
type Latencies struct {
	HDR *hdrhistogram.PackedHistogram
	// Clamped counts times that were negative or over an hour; they count as 0 and as an hour.
	Clamped int64
	// sum and largest are in µs.
	sum, largest int64
}

func newLatencies() Latencies { return Latencies{HDR: hdrhistogram.NewPacked(lowest, highest, digits)} }

// add counts a time, rounded to µs.
func (l *Latencies) add(d time.Duration) {
	if d < 0 || d > longest {
		d = min(max(d, 0), longest)
		l.Clamped++
	}
	us := int64((d + time.Microsecond/2) / time.Microsecond)
	// Within its bounds a histogram rejects only more than 2^63 values.
	_ = l.HDR.RecordValue(us)
	l.sum += us
	l.largest = max(l.largest, us)
}

func (l *Latencies) merge(o *Latencies) {
	l.HDR.Merge(o.HDR)
	l.Clamped = addSaturated(l.Clamped, o.Clamped)
	l.sum = addSaturated(l.sum, o.sum)
	l.largest = max(l.largest, o.largest)
}

// Count returns the number of times.
func (l *Latencies) Count() int64 { return l.HDR.TotalCount() }

// Max returns the largest time, exact to the µs, or 0 if there is none.
func (l *Latencies) Max() time.Duration { return micros(l.largest) }

// Mean returns the mean time, or 0 if there is none.
func (l *Latencies) Mean() time.Duration {
	if l.Count() == 0 {
		return 0
	}
	return time.Duration(math.Round(float64(l.sum) / float64(l.Count()) * float64(time.Microsecond)))
}

// Quantile returns the q-quantile, 0 < q ≤ 1: the time of rank ⌈q·n⌉, or 0 if there is none. It is
// at most 0.1 % above the true value and, apart from rounding to µs, never below.
func (l *Latencies) Quantile(q float64) time.Duration {
	rank := Rank(q, l.Count())
	for b := range l.Buckets() {
		if rank -= b.Count; rank <= 0 {
			return b.High
		}
	}
	return 0
}

// Rank returns ⌈q·n⌉, at least 1. It tolerates that q is a binary fraction: 0.07·100 is slightly
// over 7.
func Rank(q float64, n int64) int64 {
	return max(int64(math.Ceil(q*float64(n)*(1-1e-12))), 1)
}

// Over returns the number of times longer than d. Times within a bucket count as equal.
func (l *Latencies) Over(d time.Duration) int64 {
	n := int64(0)
	for b := range l.Buckets() {
		if b.High > d {
			n += b.Count
		}
	}
	return n
}

// Bucket is a non-empty bucket: Count times between Low and High.
type Bucket struct {
	Low, High time.Duration
	Count     int64
}

// Buckets yields the non-empty buckets in ascending order. The last one ends at the largest time.
func (l *Latencies) Buckets() iter.Seq[Bucket] {
	return func(yield func(Bucket) bool) {
		for low, count := range l.HDR.ForEachBucket {
			if !yield(Bucket{micros(low), micros(min(bucketHigh(low), l.largest)), count}) {
				return
			}
		}
	}
}

// bucketHigh returns the largest value of the bucket that starts at low, in µs.
func bucketHigh(low int64) int64 {
	shift := max(bits.Len64(uint64(low))-bits.Len64(linear-1), 0)
	return low + 1<<shift - 1
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
