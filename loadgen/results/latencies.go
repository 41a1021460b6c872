package results

import (
	"iter"
	"math"
	"math/bits"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Geometry of the histograms: microseconds up to an hour, exact to three digits. It is a part of the document's format.
const (
	lowest  = 1
	longest = time.Hour
	highest = int64(longest / time.Microsecond)
	digits  = 3
	// linear is the value up to which each microsecond has a bucket: the power of two from 2·10^digits on. Over it each doubling
	// has linear/2 buckets.
	linear = 2048
)

// Latencies is an HDR histogram of times in µs (Tene, hdrhistogram.org), with their exact sum and largest value.
//
// It is packed: a dense one takes 184 KiB, of which a cell with a thousand requests would fill a hundredth. Adding takes
// longer in turn, some 80 ns instead of 10 where thousands of buckets are filled.
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
	// Within its bounds a histogram refuses nothing but more than 2^63 values.
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

// Count is the number of times.
func (l *Latencies) Count() int64 { return l.HDR.TotalCount() }

// Max is the largest time, to the µs; 0 when there is none.
func (l *Latencies) Max() time.Duration { return micros(l.largest) }

// Mean is the mean time, 0 when there is none.
func (l *Latencies) Mean() time.Duration {
	if l.Count() == 0 {
		return 0
	}
	return time.Duration(math.Round(float64(l.sum) / float64(l.Count()) * float64(time.Microsecond)))
}

// Quantile is the q-quantile, 0 < q ≤ 1: the time of rank ⌈q·n⌉, at most 0.1 % over the truth and, but for rounding to µs, never
// under it; 0 when there is none.
func (l *Latencies) Quantile(q float64) time.Duration {
	rank := Rank(q, l.Count())
	for b := range l.Buckets() {
		if rank -= b.Count; rank <= 0 {
			return b.High
		}
	}
	return 0
}

// Rank is ⌈q·n⌉, at least 1, forgiving what q lacks to its decimal digits: 0.07·100 is 7 and a bit.
func Rank(q float64, n int64) int64 {
	return max(int64(math.Ceil(q*float64(n)*(1-1e-12))), 1)
}

// Over counts the times that are longer than d. Times within a bucket are alike.
func (l *Latencies) Over(d time.Duration) int64 {
	n := int64(0)
	for b := range l.Buckets() {
		if b.High > d {
			n += b.Count
		}
	}
	return n
}

// Bucket is a filled bucket: so many times from Low to High.
type Bucket struct {
	Low, High time.Duration
	Count     int64
}

// Buckets yields the filled buckets, ascending. The last one ends at the largest time.
func (l *Latencies) Buckets() iter.Seq[Bucket] {
	return func(yield func(Bucket) bool) {
		for low, count := range l.HDR.ForEachBucket {
			if !yield(Bucket{micros(low), micros(min(bucketHigh(low), l.largest)), count}) {
				return
			}
		}
	}
}

// bucketHigh is the largest value of the bucket that begins at low, in µs.
func bucketHigh(low int64) int64 {
	shift := max(bits.Len64(uint64(low))-bits.Len64(linear-1), 0)
	return low + 1<<shift - 1
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
