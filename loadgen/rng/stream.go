// Package rng derives random draws from seeds. Draws can be recomputed on any machine and in any
// order.
//
// A draw is a pure function of stream and index: there is no generator state, so draws do not
// depend on earlier ones. The arithmetic rounds after every operation (no fused multiply-add, no
// assembly versions of package math), so that all processors agree to the last bit.
package rng

import "math/bits"

// Stream is an infinite table of random 64-bit words, accessed by index.
type Stream uint64

// goldenGamma is 2^64 divided by the golden ratio, odd: the increment of SplitMix64.
const goldenGamma = 0x9e3779b97f4a7c15

// New returns the stream of a seed for a purpose. Streams for different purposes are independent
// for all practical uses.
func New(seed uint64, purpose string) Stream {
	const offset, prime = 0xcbf29ce484222325, 0x100000001b3 // FNV-1a
	h := uint64(offset)
	for i := range len(purpose) {
		h = (h ^ uint64(purpose[i])) * prime
	}
	return Stream(mix(mix(seed+goldenGamma) ^ mix(h)))
}

// Bits returns word n. It is SplitMix64 with random access (Steele, Lea, Flood: Fast splittable
// pseudorandom number generators, OOPSLA 2014).
func (s Stream) Bits(n uint64) uint64 { return mix(uint64(s) + (n+1)*goldenGamma) }

// Unit returns draw n, uniform in [0, 1).
func (s Stream) Unit(n uint64) float64 { return Unit(s.Bits(n)) }

// Bernoulli returns true with probability p, by draw n: never for 0, always for 1.
func (s Stream) Bernoulli(n uint64, share float64) bool { return Unit(s.Bits(n)) < share }

// mix is David Stafford's mix 13 of MurmurHash3's finaliser, as used by SplitMix64.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Unit maps the upper 53 bits of a word to [0, 1).
func Unit(word uint64) float64 { return float64(word>>11) * 0x1p-53 }

// UnitOpen maps the upper 52 bits of a word to (0, 1), excluding both ends.
func UnitOpen(word uint64) float64 { return float64(word>>12)*0x1p-52 + 0x1p-53 }

// Below maps a word to [0, n). Its bias is below n/2^64.
func Below(word, n uint64) uint64 {
	hi, _ := bits.Mul64(word, n)
	return hi
}
