package rng

import "math"

// madd returns x·y + z, rounded twice on every machine: the conversion keeps the compiler from
// fusing the operations (Go specification, "Floating-point operators").
func madd(x, y, z float64) float64 { return float64(x*y) + z }

// ln2Hi and ln2Lo sum to ln 2. ln2Hi ends in 20 zero bits, so that its product with an exponent is
// exact.
const (
	ln2Lo = math.Ln2 - ln2Hi
	ln2Hi = 0x1.62e42fep-1
)

// Log returns the natural logarithm of a positive, normal number, with a relative error below
// 1e-14. It splits x into 2^k·m with m near 1 and sums the series of 2·artanh((m-1)/(m+1)).
func Log(x float64) float64 {
	b := math.Float64bits(x)
	// Subtracting the bits of sqrt(1/2) makes the exponent carry where m passes sqrt(2).
	const half = 0x3fe6a09e667f3bcd
	k := int64(b-half) >> 52
	m := math.Float64frombits(b - uint64(k)<<52)
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	p := madd(z, madd(z, madd(z, madd(z, 2./19, 2./17), 2./15), 2./13), 2./11)
	p = madd(z, madd(z, madd(z, madd(z, p, 2./9), 2./7), 2./5), 2./3)
	series := madd(s, 2, float64(s*float64(z*p)))
	return madd(float64(k), ln2Hi, madd(float64(k), ln2Lo, series))
}

// Exp returns e to the power of x, with a relative error below 1e-10. Beyond ±700 it returns the
// value at that bound.
func Exp(x float64) float64 {
	if x > 700 || x < -700 {
		x = math.Copysign(700, x)
	}
	k := math.Floor(madd(x, 1/math.Ln2, 0.5))
	r := madd(-k, ln2Lo, madd(-k, ln2Hi, x))
	// Taylor series up to r^9, in two halves that the processor can compute in parallel.
	q := float64(r * r)
	even := madd(q, madd(q, madd(q, madd(q, 1./40320, 1./720), 1./24), 1./2), 1)
	odd := madd(q, madd(q, madd(q, madd(q, 1./362880, 1./5040), 1./120), 1./6), 1)
	return madd(r, odd, even) * math.Float64frombits(uint64(int64(k)+1023)<<52)
}

// Sin returns the sine of an angle in turns (1 is a full circle), with an absolute error below
// 1e-13.
func Sin(turns float64) float64 {
	t := turns - math.Floor(turns)
	sign := 1.0
	if t > 0.5 {
		t, sign = t-0.5, -1
	}
	if t > 0.25 {
		t = 0.5 - t
	}
	x := t * (2 * math.Pi)
	q := float64(x * x)
	p := madd(q, madd(q, madd(q, madd(q, -1./121645100408832000, 1./355687428096000), -1./1307674368000),
		1./6227020800), -1./39916800)
	p = madd(q, madd(q, madd(q, madd(q, madd(q, p, 1./362880), -1./5040), 1./120), -1./6), 1)
	return sign * float64(x*p)
}
