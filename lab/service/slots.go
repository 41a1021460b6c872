package service

// Slot is a place of work in a pod. It goes stale when the place is freed, so that an event which comes too late cannot
// touch the next job in the same place. The zero value is no place.
type Slot struct{ index, generation uint32 }

// slotUse is what a place is used for.
type slotUse uint8

const (
	slotFree slotUse = iota
	slotWorking
	slotHeld
)

// slotState holds a job and its work.
type slotState struct {
	job        Job
	work       Work
	generation uint32
	use        slotUse
}

// slotTable is a pod's places of work. It grows to the most that were used at once and keeps that.
type slotTable struct {
	slots         []slotState
	free          []uint32
	working, held int
}

// at returns the place of a slot that is used in the given way, nil for any other.
func (d *slotTable) at(s Slot, want slotUse) *slotState {
	if int(s.index) >= len(d.slots) {
		return nil
	}
	p := &d.slots[s.index]
	if p.generation != s.generation || p.use != want {
		return nil
	}
	return p
}

// acquire puts a job into a place.
func (d *slotTable) acquire(j Job) Slot {
	if len(d.free) == 0 {
		d.free = append(d.free, uint32(len(d.slots)))
		d.slots = append(d.slots, slotState{generation: 1})
	}
	i := d.free[len(d.free)-1]
	d.free = d.free[:len(d.free)-1]
	p := &d.slots[i]
	p.job, p.use = j, slotWorking
	d.working++
	return Slot{i, p.generation}
}

// setWork keeps the work of a slot that was just taken.
func (d *slotTable) setWork(s Slot, w Work) { d.slots[s.index].work = w }

// finish ends the work in a slot; the place stays held if the work says so.
func (d *slotTable) finish(s Slot) (Work, bool) {
	p := d.at(s, slotWorking)
	if p == nil {
		return Work{}, false
	}
	d.working--
	if p.work.Hold > 0 {
		p.use = slotHeld
		d.held++
	} else {
		d.freeSlot(s.index)
	}
	return p.work, true
}

// release ends the holding of a slot.
func (d *slotTable) release(s Slot) bool {
	if d.at(s, slotHeld) == nil {
		return false
	}
	d.held--
	d.freeSlot(s.index)
	return true
}

func (d *slotTable) freeSlot(i uint32) {
	p := &d.slots[i]
	p.use = slotFree
	p.generation++
	d.free = append(d.free, i)
}

// clear empties every place and hands over the jobs in work.
func (d *slotTable) clear(each func(Job)) {
	d.working, d.held = 0, 0
	for i := range d.slots {
		p := &d.slots[i]
		was := p.use
		if was != slotFree {
			d.freeSlot(uint32(i))
		}
		if was == slotWorking {
			each(p.job)
		}
	}
}
