package heap_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen/heap"
)

// less orders the items of the model.
func less(a, b heap.Item[int]) int {
	if a.At != b.At {
		return int(a.At - b.At)
	}
	return int(a.Seq) - int(b.Seq)
}

// TestHeapAgainstSortedSlice compares the heap with a sorted slice under random operations.
func TestHeapAgainstSortedSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h heap.Heap[int]
		var model []heap.Item[int]
		due := rapid.IntRange(0, 20)
		add := func(it heap.Item[int]) {
			at, _ := slices.BinarySearchFunc(model, it, less)
			model = slices.Insert(model, at, it)
		}
		next := 0
		item := func() heap.Item[int] {
			next++
			return heap.Item[int]{At: time.Duration(due.Draw(t, "at")), Seq: uint64(next), Value: next}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(*rapid.T) {
				it := item()
				h.Push(it.At, it.Seq, it.Value)
				add(it)
			},
			"pop": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip()
				}
				if got := h.Pop(); got != model[0] {
					t.Fatalf("Pop() = %v, want %v", got, model[0])
				}
				model = model[1:]
			},
			"replace": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip()
				}
				it := item()
				h.ReplaceFirst(it)
				model = model[1:]
				add(it)
			},
			"remove": func(t *rapid.T) {
				value := rapid.IntRange(1, next+1).Draw(t, "value")
				at := slices.IndexFunc(model, func(it heap.Item[int]) bool { return it.Value == value })
				if got := h.RemoveFunc(func(v int) bool { return v == value }); got != (at >= 0) {
					t.Fatalf("RemoveFunc() = %t for value %d of %v", got, value, model)
				}
				if at >= 0 {
					model = slices.Delete(model, at, at+1)
				}
			},
			"": func(t *rapid.T) {
				if h.Len() != len(model) {
					t.Fatalf("Len() = %d, want %d", h.Len(), len(model))
				}
				if len(model) > 0 && *h.First() != model[0] {
					t.Fatalf("First() = %v, want %v", *h.First(), model[0])
				}
			},
		})
		for _, want := range model {
			if got := h.Pop(); got != want {
				t.Fatalf("Pop() = %v, want %v", got, want)
			}
		}
	})
}

func TestHeapAllocatesNothingOnceGrown(t *testing.T) {
	var h heap.Heap[int]
	for i := range 100 {
		h.Push(time.Duration(i), 0, i)
	}
	if n := testing.AllocsPerRun(100, func() { h.Pop(); h.Push(50, 0, 1) }); n != 0 {
		t.Errorf("%v allocations per operation, want 0", n)
	}
}

func BenchmarkPushPop(b *testing.B) {
	var h heap.Heap[uint32]
	for i := range 1000 {
		h.Push(time.Duration(i*7919%1000), uint64(i), uint32(i))
	}
	seq := uint64(1000)
	for b.Loop() {
		it := h.Pop()
		h.Push(it.At+time.Duration(seq*7919%1000), seq, it.Value)
		seq++
	}
}
