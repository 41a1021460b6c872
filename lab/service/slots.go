package service

// Slot identifies a slot of a pod while it is used by one job. It becomes stale when the slot is
// freed, so a late event cannot affect the next job in the same slot. The zero value is not a valid
// slot.
type Slot struct{ index, generation uint32 }

// slotUse is what a slot is used for.
type slotUse uint8

const (
	slotFree slotUse = iota
	slotWorking
	slotHeld
)

// slotState is what a slot is used for, and what follows from the end of its work.
type slotState struct {
	tag        uint64 // of its job
	grow       float64
	hold       bool
	use        slotUse
	generation uint32
}

// slotTable holds a pod's slots. It grows to the maximum that were used at the same time.
type slotTable struct {
	slots         []slotState
	free          []uint32
	working, held int
}

// at returns the state of a slot, or nil if it is stale or not used as given.
func (t *slotTable) at(s Slot, want slotUse) *slotState {
	if int(s.index) >= len(t.slots) {
		return nil
	}
	p := &t.slots[s.index]
	if p.generation != s.generation || p.use != want {
		return nil
	}
	return p
}

// acquire puts a job with a tag into a free slot. Its state is valid until the next call.
func (t *slotTable) acquire(tag uint64) (Slot, *slotState) {
	if len(t.free) == 0 {
		t.free = append(t.free, uint32(len(t.slots)))
		t.slots = append(t.slots, slotState{generation: 1})
	}
	i := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	p := &t.slots[i]
	p.tag, p.use = tag, slotWorking
	t.working++
	return Slot{i, p.generation}, p
}

// finish ends the work in a slot and returns the memory that it leaks. The slot is then held, if the
// work says so, or freed.
func (t *slotTable) finish(s Slot) (grow float64, ok bool) {
	p := t.at(s, slotWorking)
	if p == nil {
		return 0, false
	}
	t.working--
	if p.hold {
		p.use = slotHeld
		t.held++
	} else {
		t.freeSlot(s.index)
	}
	return p.grow, true
}

// release frees a slot that is held.
func (t *slotTable) release(s Slot) bool {
	if t.at(s, slotHeld) == nil {
		return false
	}
	t.held--
	t.freeSlot(s.index)
	return true
}

func (t *slotTable) freeSlot(i uint32) {
	p := &t.slots[i]
	p.use = slotFree
	p.generation++
	t.free = append(t.free, i)
}

// clear frees all slots and calls each for the tags of the jobs in progress.
func (t *slotTable) clear(each func(tag uint64)) {
	t.working, t.held = 0, 0
	for i := range t.slots {
		p := &t.slots[i]
		use := p.use
		if use != slotFree {
			t.freeSlot(uint32(i))
		}
		if use == slotWorking {
			each(p.tag)
		}
	}
}
