package app

// Slot is a place of work in a pod. It goes stale when the place is freed, so that an event which comes too late cannot
// touch the next job in the same place. The zero value is no place.
type Slot struct{ index, turn uint32 }

// phase is what a place is used for.
type phase uint8

const (
	empty phase = iota
	working
	held
)

// place holds a job and its work.
type place struct {
	job   Job
	work  Work
	turn  uint32
	phase phase
}

// desk is a pod's places of work. It grows to the most that were used at once and keeps that.
type desk struct {
	places        []place
	free          []uint32
	working, held int
}

// at returns the place of a slot that is used in the given way, nil for any other.
func (d *desk) at(s Slot, want phase) *place {
	if int(s.index) >= len(d.places) {
		return nil
	}
	p := &d.places[s.index]
	if p.turn != s.turn || p.phase != want {
		return nil
	}
	return p
}

// take puts a job into a place.
func (d *desk) take(j Job) Slot {
	if len(d.free) == 0 {
		d.free = append(d.free, uint32(len(d.places)))
		d.places = append(d.places, place{turn: 1})
	}
	i := d.free[len(d.free)-1]
	d.free = d.free[:len(d.free)-1]
	p := &d.places[i]
	p.job, p.phase = j, working
	d.working++
	return Slot{i, p.turn}
}

// note keeps the work of a slot that was just taken.
func (d *desk) note(s Slot, w Work) { d.places[s.index].work = w }

// finish ends the work in a slot; the place stays held if the work says so.
func (d *desk) finish(s Slot) (Work, bool) {
	p := d.at(s, working)
	if p == nil {
		return Work{}, false
	}
	d.working--
	if p.work.Hold > 0 {
		p.phase = held
		d.held++
	} else {
		d.empty(s.index)
	}
	return p.work, true
}

// release ends the holding of a slot.
func (d *desk) release(s Slot) bool {
	if d.at(s, held) == nil {
		return false
	}
	d.held--
	d.empty(s.index)
	return true
}

func (d *desk) empty(i uint32) {
	p := &d.places[i]
	p.phase = empty
	p.turn++
	d.free = append(d.free, i)
}

// clear empties every place and hands over the jobs in work.
func (d *desk) clear(each func(Job)) {
	d.working, d.held = 0, 0
	for i := range d.places {
		p := &d.places[i]
		was := p.phase
		if was != empty {
			d.empty(uint32(i))
		}
		if was == working {
			each(p.job)
		}
	}
}
