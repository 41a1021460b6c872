package loadgen

import "coalmine/loadgen/rng"

// maxItems bounds the items of a cohort. maxTables bounds the items of all cohorts that need a
// table of popularities, which takes 12 B per item.
const (
	maxItems  = 1_000_000
	maxTables = 4_000_000
)

// itemPicker draws from a cohort's [Items].
type itemPicker struct {
	count, offset uint64
	// ranks has the weights of the ranks, or nil if all items are equally popular.
	ranks      *alias
	sequential bool
}

func newItemPicker(c *Items) *itemPicker {
	if c == nil {
		return nil
	}
	s := &itemPicker{count: uint64(c.Count), offset: uint64(c.Offset), sequential: c.Sequential}
	if c.Exponent > 0 && !c.Sequential {
		table := newAlias(zipfWeights(c.Count, c.Exponent))
		s.ranks = &table
	}
	return s
}

// draw maps a random word to an item.
func (s *itemPicker) draw(word uint64) uint32 {
	if s.ranks != nil {
		return s.ofRank(uint64(s.ranks.draw(word)))
	}
	return s.ofRank(rng.Below(word, s.count))
}

// ofRank returns the item of a rank, counted from 0.
func (s *itemPicker) ofRank(rank uint64) uint32 { return uint32((s.offset + rank) % s.count) }

// zipfWeights returns 1/k^exponent for k from 1 to n.
func zipfWeights(n int, exponent float64) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = power(float64(i+1), -exponent)
	}
	return list
}
