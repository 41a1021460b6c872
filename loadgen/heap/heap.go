// Package heap implements a priority queue of values that are due at a time.
package heap

import (
	"slices"
	"time"
)

// Item is a value and when it is due. Seq breaks ties, so that the order of items with distinct
// keys does not depend on the order in which they were pushed.
type Item[V any] struct {
	At    time.Duration
	Seq   uint64
	Value V
}

func (i *Item[V]) before(other *Item[V]) bool {
	return i.At < other.At || i.At == other.At && i.Seq < other.Seq
}

// Heap holds items, the earliest first. The zero value is an empty heap. Unlike container/heap it
// allocates nothing per item. It is not safe for concurrent use.
//
// Nodes have four children: that halves the levels of a binary heap, and the children of a node are
// adjacent in memory (LaMarca, Ladner: The influence of caches on the performance of heaps, 1996).
type Heap[V any] struct{ items []Item[V] }

const children = 4

// Len returns the number of items.
func (h *Heap[V]) Len() int { return len(h.items) }

// First returns the earliest item. It panics if the heap is empty. The item must not be changed and
// is valid until the next call of a method that changes the heap.
func (h *Heap[V]) First() *Item[V] { return &h.items[0] }

// Push adds an item.
func (h *Heap[V]) Push(at time.Duration, seq uint64, v V) {
	h.items = append(h.items, Item[V]{})
	h.up(len(h.items)-1, Item[V]{At: at, Seq: seq, Value: v})
}

// Pop removes the earliest item and returns it. It panics if the heap is empty.
func (h *Heap[V]) Pop() Item[V] {
	first := h.items[0]
	h.remove(0)
	return first
}

// ReplaceFirst replaces the earliest item. It is faster than Pop and Push. It panics if the heap is
// empty.
func (h *Heap[V]) ReplaceFirst(it Item[V]) { h.down(0, it) }

// RemoveFunc removes one item whose value satisfies match and reports whether there was one. It
// takes time proportional to the number of items.
func (h *Heap[V]) RemoveFunc(match func(V) bool) bool {
	i := slices.IndexFunc(h.items, func(it Item[V]) bool { return match(it.Value) })
	if i < 0 {
		return false
	}
	h.remove(i)
	return true
}

// remove fills the place of item i with the last item.
func (h *Heap[V]) remove(i int) {
	n := len(h.items) - 1
	last := h.items[n]
	h.items[n] = Item[V]{} // for the garbage collector
	h.items = h.items[:n]
	switch {
	case i == n:
	case i > 0 && last.before(&h.items[(i-1)/children]):
		h.up(i, last)
	default:
		h.down(i, last)
	}
}

// up puts an item into the hole i or, if it is due earlier than that allows, closer to the root.
func (h *Heap[V]) up(i int, it Item[V]) {
	for i > 0 {
		parent := (i - 1) / children
		if !it.before(&h.items[parent]) {
			break
		}
		h.items[i], i = h.items[parent], parent
	}
	h.items[i] = it
}

// down puts an item into the hole i or, if it is due later than that allows, farther from the root.
func (h *Heap[V]) down(i int, it Item[V]) {
	items := h.items
	for {
		first := i*children + 1
		if first >= len(items) {
			break
		}
		least := first
		for j := first + 1; j < min(first+children, len(items)); j++ {
			if items[j].before(&items[least]) {
				least = j
			}
		}
		if !items[least].before(&it) {
			break
		}
		items[i], i = items[least], least
	}
	items[i] = it
}
