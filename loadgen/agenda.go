package loadgen

import "time"

// appointment is something that is due at a time, as an answer or a session's next request; seq breaks ties, so that the order is
// the same in every run. place says where the thing is kept.
type appointment struct {
	at    time.Duration
	seq   uint64
	place uint32
}

func (a *appointment) before(b *appointment) bool {
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

// agenda is a heap of appointments with four children to a node: half the levels of a binary heap, and the children of a
// node lie side by side in memory (LaMarca, Ladner: The influence of caches on the performance of heaps, 1996).
type agenda struct{ heap []appointment }

const children = 4

func (g *agenda) len() int { return len(g.heap) }

// first returns the earliest appointment of an agenda that is not empty.
func (g *agenda) first() *appointment { return &g.heap[0] }

func (g *agenda) push(a appointment) {
	g.heap = append(g.heap, a)
	h, i := g.heap, len(g.heap)-1
	for i > 0 {
		parent := (i - 1) / children
		if !a.before(&h[parent]) {
			break
		}
		h[i], i = h[parent], parent
	}
	h[i] = a
}

// pop removes the earliest appointment of an agenda that is not empty.
func (g *agenda) pop() appointment {
	top, last := g.heap[0], g.heap[len(g.heap)-1]
	g.heap = g.heap[:len(g.heap)-1]
	if len(g.heap) > 0 {
		g.sink(last)
	}
	return top
}

// sink puts an appointment into the hole at the root.
func (g *agenda) sink(a appointment) {
	h, i := g.heap, 0
	for {
		first := i*children + 1
		if first >= len(h) {
			break
		}
		least := first
		for j := first + 1; j < min(first+children, len(h)); j++ {
			if h[j].before(&h[least]) {
				least = j
			}
		}
		if !h[least].before(&a) {
			break
		}
		h[i], i = h[least], least
	}
	h[i] = a
}
