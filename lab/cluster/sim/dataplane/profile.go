package dataplane

import (
	"net/http"

	"coalmine/lab/mesh"
)

// SetProfiles replaces all ServiceProfiles. Proxies follow them as if they had begun to use the
// Services after this.
func (p *Plane) SetProfiles(list []mesh.Profile) {
	p.profiles = list
	p.attachAll()
}

// profileOf returns the profile that requests to a Service follow, or nil.
func (p *Plane) profileOf(s *meshService) *mesh.Profile {
	for i := range p.profiles {
		if x := &p.profiles[i]; x.Service == s.name && x.Namespace == s.namespace && x.Applies() {
			return x
		}
	}
	return nil
}

// profileRules returns a rule for each route of the Service's profile, and the default rule. All have
// the same backends; timeouts and retries of the Service do not apply.
func (p *Plane) profileRules(s *meshService) []*rule {
	var rules []*rule
	for i := range len(s.profile.Routes) + 1 {
		r := p.newRule(s, i, &mesh.CompiledRule{Rule: mesh.Rule{Backends: s.profile.Targets}})
		r.timeouts, r.retry, r.limited = mesh.Timeouts{}, nil, false
		r.profile = &mesh.ProfileRoute{}
		if i < len(s.profile.Routes) {
			r.profile = &s.profile.Routes[i]
		}
		rules = append(rules, r)
	}
	return rules
}

// profileRule returns the rule of the Service's profile for a request.
func (s *meshService) profileRule(r *mesh.Request) *rule {
	if i := s.profile.Match(r); i >= 0 {
		return s.rules[i]
	}
	return s.rules[len(s.rules)-1]
}

// startProfiled counts a request that follows a profile, and starts its timeout.
func (p *Plane) startProfiled(h *hop) {
	p.statsOf(h).profile.Request(p.now)
	if d := h.rule.profile.Timeout; d > 0 {
		p.events.add(p.now+d, profileTimeout, h.id, h.gen)
	}
}

// retriesByProfile reports whether a response is retried: a failure, as far as the budget allows.
// Errors of the proxy are not (linkerd2-proxy, linkerd/app/outbound/src/http/retry.rs).
func (p *Plane) retriesByProfile(h *hop, status int, err string) bool {
	if !h.rule.profile.Retryable {
		return false
	}
	x := h.from.proxy(h.service)
	if x.budget == nil {
		x.budget = &mesh.Budget{RetryBudget: h.service.profile.Budget}
	}
	if err != "" || !h.rule.profile.IsFailure(status) {
		x.budget.Deposit(p.now)
		return false
	}
	again := int(h.try) < maxTries && x.budget.Withdraw(p.now)
	p.statsOf(h).profile.Retryable(again)
	return again
}

// profileTimeOut answers a request that took longer than its profile allows, wherever it is.
func (p *Plane) profileTimeOut(h *hop) {
	switch {
	case h.abandoned || h.status != 0:
		return
	case h.parked:
		p.effectsAt(h).TimedOut++
		h.parked = false
	case h.endpoint != nil:
		p.effectsAt(h).TimedOut++
		h.upstream.Cancel(p.now, h.endpoint, p.now-h.dispatched)
		h = p.detach(h)
	default: // its next attempt is due
		p.events.add(p.now, profileTimeout, h.id, h.gen)
		return
	}
	p.statsOf(h).profile.Response(p.now, 0, mesh.ErrorProfileTimeout, p.now-h.sent)
	h.byMesh = !h.faultHit
	p.finish(h, http.StatusGatewayTimeout)
}
