package loadgen

import "coalmine/loadgen/chance"

// alias draws from a discrete distribution in constant time (Walker 1977, in Vose's construction, IEEE Transactions on
// Software Engineering 17, 1991).
type alias struct {
	keep  []float64 // share of a column that stays with its own index
	other []uint32  // index of the rest of the column
}

// newAlias makes the table of weights, which are not negative and not all zero.
func newAlias(weights []float64) alias {
	n, sum := len(weights), 0.0
	for _, w := range weights {
		sum += w
	}
	a := alias{make([]float64, n), make([]uint32, n)}
	var small, large []int
	for i, w := range weights {
		a.keep[i], a.other[i] = w/sum*float64(n), uint32(i)
		small, large = file(i, a.keep[i], small, large)
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small, large = small[:len(small)-1], large[:len(large)-1]
		a.other[s] = uint32(l)
		a.keep[l] -= 1 - a.keep[s]
		small, large = file(l, a.keep[l], small, large)
	}
	// What is left is full but for rounding; an index of weight 0 never is the last.
	for _, i := range append(small, large...) {
		a.keep[i] = 1
	}
	return a
}

// file puts an index with the columns that lack or that have more than their share.
func file(i int, keep float64, small, large []int) (s, l []int) {
	if keep < 1 {
		return append(small, i), large
	}
	return small, append(large, i)
}

// draw makes an index of a word: its upper bits choose a column, the rest of the product the part of the column.
func (a *alias) draw(word uint64) uint32 {
	n := uint64(len(a.keep))
	i := chance.Below(word, n)
	if chance.Unit(word*n) < a.keep[i] {
		return uint32(i)
	}
	return a.other[i]
}
