package recordings

import (
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/mesh"
)

// profileStats returns the counters of a route of a ServiceProfile.
func (x *client) profileStats(parent mesh.ServicePort, route string) *mesh.ProfileStats {
	k := profileKey{parent, route}
	if x.profiles[k] == nil {
		x.profiles[k] = x.recorder.Profile(parent, route)
	}
	return x.profiles[k]
}

type profileKey struct {
	parent mesh.ServicePort
	route  string
}

func (x *client) profileOf(s *corev1.Service) *mesh.Profile {
	for i := range x.c.profiles {
		if p := &x.c.profiles[i]; p.Service == s.Name && p.Namespace == s.Namespace && p.Applies() {
			return p
		}
	}
	return nil
}

// profiled is a request that follows a ServiceProfile.
type profiled struct {
	x        *client
	profile  *mesh.Profile
	route    *mesh.ProfileRoute
	stats    *mesh.ProfileStats
	received time.Duration
	parent   mesh.ServicePort
	dst      string
	request  *call
	done     func(reply)
	finished bool
}

func (x *client) sendByProfile(p *mesh.Profile, s *corev1.Service, q *call, done func(reply)) {
	r := &profiled{x: x, profile: p, parent: servicePort(s, q), request: q, done: done, received: x.c.now,
		dst: fmt.Sprintf("%s.%s.svc.cluster.local:%d", s.Name, s.Namespace, servicePort(s, q).Port)}
	r.route = &mesh.ProfileRoute{}
	if i := p.Match(&mesh.Request{Method: q.method, Host: hostname(q.host), Path: q.url.Path}); i >= 0 {
		r.route = &p.Routes[i]
	}
	r.stats = x.profileStats(r.parent, r.route.Name)
	r.stats.Request(x.c.now)
	if d := r.route.Timeout; d > 0 {
		x.c.after(d, func() {
			if r.finished || q.canceled() {
				return
			}
			r.finished = true
			r.stats.Response(x.c.now, 0, mesh.ErrorProfileTimeout, d)
			done(reply{status: 504,
				proxyError: "logical service " + r.dst + ": HTTP response timeout after " + rust(d),
				headers:    map[string]string{"L5d-Proxy-Connection": "close"}})
		})
	}
	r.attempt()
}

// attempt sends the request to one of the targets.
func (r *profiled) attempt() {
	x := r.x
	r.stats.Attempt(x.c.now)
	targets := r.profile.Targets
	if len(targets) == 0 {
		targets = []mesh.Backend{own(r.parent)}
	}
	rule := &mesh.CompiledRule{Rule: mesh.Rule{Backends: targets}}
	to := targets[max(rule.Pick(x.c.bits(), func(int) bool { return true }), 0)]
	via := mesh.ServicePort{Namespace: to.Namespace, Name: to.Service, Port: to.Port}
	p := x.pool(r.parent, via)
	e := p.Pick(x.c.now, x.c.bits())
	if e == nil { // if it does not come first, the timeout answers
		x.c.after(mesh.FailfastAfter, func() {
			if !r.finished && !r.request.canceled() {
				r.finished = true
				r.done(reply{status: http.StatusGatewayTimeout})
			}
		})
		return
	}
	p.Begin(e)
	start, server := x.c.now, x.c.pods[e.Key]
	port := targetPort(p.service, to.Port, server)
	out := x.out(server, port, via)
	out.Request(x.c.now)
	r.request.added = map[string]string{"L5d-Dst-Canonical": r.dst}
	server.receive(x.self, port, r.request, func(got reply) {
		p.End(x.c.now, e, x.c.now-start, got.status, x.c.bits())
		if r.finished {
			return
		}
		out.Response(x.c.now, got.status, x.c.now-start)
		r.stats.AttemptResponse(x.c.now, got.status)
		r.answered(got)
	})
}

// answered retries a failure as far as the budget allows.
func (r *profiled) answered(got reply) {
	x := r.x
	if r.route.Retryable {
		if x.budgets[r.parent] == nil {
			x.budgets[r.parent] = &mesh.Budget{RetryBudget: r.profile.Budget}
		}
		budget := x.budgets[r.parent]
		if !r.route.IsFailure(got.status) {
			budget.Deposit(x.c.now)
		} else {
			again := budget.Withdraw(x.c.now)
			r.stats.Retryable(again)
			if again {
				r.attempt()
				return
			}
		}
	}
	r.finished = true
	r.stats.Response(x.c.now, got.status, "", x.c.now-r.received)
	x.c.after(x.c.noise(), func() { r.done(got) })
}
