package dataplane

import (
	"cmp"
	"slices"

	"coalmine/lab/event"
)

// effectsOf returns the counters of a pod's workload.
func (p *Plane) effectsOf(d *pod) *event.MeshEffect {
	if d.effects == nil {
		d.effects = p.effect(d.Service, d.Workload, d.Version)
	}
	return d.effects
}

// effectsAt returns the counters of the workload that an attempt reached, or of the Service that it was
// sent to.
func (p *Plane) effectsAt(h *hop) *event.MeshEffect {
	if h.server != nil {
		return p.effectsOf(h.server)
	}
	return p.effect(h.service.name, "", "")
}

func (p *Plane) effect(service, workload, version string) *event.MeshEffect {
	for _, m := range p.effects {
		if m.Service == service && m.Workload == workload && m.Version == version {
			return m
		}
	}
	m := &event.MeshEffect{Service: service, Workload: workload, Version: version}
	p.effects = append(p.effects, m)
	return m
}

// MeshEffects returns what retries, timeouts, circuit breaking, limits and policy have done since the
// last call, and nothing before they have done anything.
func (p *Plane) MeshEffects() []event.MeshEffect {
	p.affected = p.affected || slices.ContainsFunc(p.effects, func(m *event.MeshEffect) bool { return m.Any() })
	var list []event.MeshEffect
	for _, m := range p.effects {
		empty := event.MeshEffect{Service: m.Service, Workload: m.Workload, Version: m.Version}
		if p.affected && *m != empty {
			list = append(list, *m)
		}
		*m = empty
	}
	slices.SortFunc(list, func(a, b event.MeshEffect) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Workload, b.Workload),
			cmp.Compare(a.Version, b.Version))
	})
	return list
}
