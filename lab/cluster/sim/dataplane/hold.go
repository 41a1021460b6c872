package dataplane

import "time"

// hold schedules the release of a slot that stays busy after its response.
func (p *Plane) hold(s heldSlot, d time.Duration) {
	at := -1
	for i := range p.held {
		if !p.held[i].used {
			at = i
			break
		}
	}
	if at < 0 {
		p.held = append(p.held, heldSlot{})
		at = len(p.held) - 1
	}
	p.held[at] = s
	p.events.add(p.now+d, slotReleased, int32(at), 0)
}

func (p *Plane) release(s *heldSlot) {
	held := *s
	s.used = false
	if held.restarts != held.pod.restarts {
		return // the slot ended with the crash
	}
	if held.faultHit {
		held.pod.faultySlots--
	}
	p.startNext(held.pod.server.Release(p.now, held.slot))
}
