package loadgen

import "coalmine/loadgen/rng"

// maxItems bounds the items of a cohort, maxTables those of all cohorts for which a table of popularities is kept, of 12 B each.
const (
	maxItems  = 1_000_000
	maxTables = 4_000_000
)

// itemPicker is a cohort's [Items], ready for use.
type itemPicker struct {
	count, offset uint64
	// ranks has the weights of the ranks, nil for items that are alike.
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

// draw makes an item of a word.
func (s *itemPicker) draw(word uint64) uint32 {
	if s.ranks != nil {
		return s.ofRank(uint64(s.ranks.draw(word)))
	}
	return s.ofRank(rng.Below(word, s.count))
}

// ofRank is the item of a rank from 0.
func (s *itemPicker) ofRank(rank uint64) uint32 { return uint32((s.offset + rank) % s.count) }

// zipfWeights are 1/k^exponent for k from 1 to n.
func zipfWeights(n int, exponent float64) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = power(float64(i+1), -exponent)
	}
	return list
}
