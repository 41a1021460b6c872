package loadgen

import "coalmine/loadgen/chance"

// maxItems bounds the items of a cohort, maxTables those of all cohorts for which a table of popularities is kept, of 12 B each.
const (
	maxItems  = 1_000_000
	maxTables = 4_000_000
)

// stock is a cohort's [Items], ready for use.
type stock struct {
	count, offset uint64
	// ranks has the weights of the ranks, nil for items that are alike.
	ranks      *alias
	sequential bool
}

func newStock(c *Items) *stock {
	if c == nil {
		return nil
	}
	s := &stock{count: uint64(c.Count), offset: uint64(c.Offset), sequential: c.Sequential}
	if c.Exponent > 0 && !c.Sequential {
		table := newAlias(zipfWeights(c.Count, c.Exponent))
		s.ranks = &table
	}
	return s
}

// draw makes an item of a word.
func (s *stock) draw(word uint64) uint32 {
	if s.ranks != nil {
		return s.at(uint64(s.ranks.draw(word)))
	}
	return s.at(chance.Below(word, s.count))
}

// at is the item of a rank from 0.
func (s *stock) at(rank uint64) uint32 { return uint32((s.offset + rank) % s.count) }

// zipfWeights are 1/k^exponent for k from 1 to n.
func zipfWeights(n int, exponent float64) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = power(float64(i+1), -exponent)
	}
	return list
}
