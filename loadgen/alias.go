package loadgen

import "coalmine/loadgen/rng"

// alias draws from a discrete distribution in constant time (Walker 1977, in the construction of
// Vose, IEEE Transactions on Software Engineering 17, 1991).
type alias struct {
	prob  []float64 // share of a column that keeps its own index
	alias []uint32  // index of the rest of the column
}

// newAlias builds the table for weights, which must not be negative nor all zero.
func newAlias(weights []float64) alias {
	n, sum := len(weights), 0.0
	for _, w := range weights {
		sum += w
	}
	a := alias{make([]float64, n), make([]uint32, n)}
	var small, large []int
	for i, w := range weights {
		a.prob[i], a.alias[i] = w/sum*float64(n), uint32(i)
		small, large = classify(i, a.prob[i], small, large)
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small, large = small[:len(small)-1], large[:len(large)-1]
		a.alias[s] = uint32(l)
		a.prob[l] -= 1 - a.prob[s]
		small, large = classify(l, a.prob[l], small, large)
	}
	// The remaining columns are full up to rounding. An index of weight 0 is never the last one.
	for _, i := range append(small, large...) {
		a.prob[i] = 1
	}
	return a
}

// classify appends index i to the columns with less or with more than their share.
func classify(i int, keep float64, small, large []int) (s, l []int) {
	if keep < 1 {
		return append(small, i), large
	}
	return small, append(large, i)
}

// draw maps a random word to an index. The upper bits choose a column, the rest of the product the
// part of the column.
func (a *alias) draw(word uint64) uint32 {
	n := uint64(len(a.prob))
	i := rng.Below(word, n)
	if rng.Unit(word*n) < a.prob[i] {
		return uint32(i)
	}
	return a.alias[i]
}
