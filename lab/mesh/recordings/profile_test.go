package recordings

import (
	"fmt"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/mesh"
)

// profileStats counts by routes of ServiceProfiles.
type profileStats struct {
	reg   *mesh.Registry
	owner int
	of    string
}

func newProfileStats(reg *mesh.Registry, owner int, of string) profileStats {
	return profileStats{reg, owner, of}
}

func (s profileStats) inc(name, dst, route string, more ...mesh.Label) {
	labels := append([]mesh.Label{{Name: "direction", Value: "outbound"}, {Name: "dst", Value: dst},
		{Name: "rt_route", Value: route}, {Name: ofLabel, Value: s.of}}, more...)
	s.reg.Counter(s.owner, name, labels...).Inc()
}

func (s profileStats) response(name, dst, route string, status int) {
	s.inc(name, dst, route, mesh.Label{Name: "status_code", Value: strconv.Itoa(status)},
		mesh.Label{Name: "classification", Value: mesh.Classify(status)})
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
	parent   mesh.ServicePort
	dst      string
	request  *call
	done     func(reply)
	finished bool
}

func (x *client) sendByProfile(p *mesh.Profile, s *corev1.Service, q *call, done func(reply)) {
	r := &profiled{x: x, profile: p, parent: servicePort(s, q), request: q, done: done,
		dst: fmt.Sprintf("%s.%s.svc.cluster.local:%d", s.Name, s.Namespace, servicePort(s, q).Port)}
	r.route = p.Match(&mesh.Request{Method: q.method, Host: hostname(q.host), Path: q.url.Path})
	if r.route == nil {
		r.route = &mesh.ProfileRoute{}
	}
	x.profile.inc("route_request_total", r.dst, r.route.Name)
	if d := r.route.Timeout; d > 0 {
		x.c.after(d, func() {
			if r.finished || q.canceled() {
				return
			}
			r.finished = true
			x.profile.inc("route_response_total", r.dst, r.route.Name,
				mesh.Label{Name: "classification", Value: "failure"}, mesh.Label{Name: "error", Value: "timeout"})
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
	x.profile.inc("route_actual_request_total", r.dst, r.route.Name)
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
		x.profile.response("route_actual_response_total", r.dst, r.route.Name, got.status)
		r.answered(got)
	})
}

// answered retries a failure as far as the budget allows.
func (r *profiled) answered(got reply) {
	x := r.x
	if r.route.Retryable {
		k := r.dst + r.route.Name
		if x.budgets[k] == nil {
			x.budgets[k] = &mesh.Budget{RetryBudget: r.profile.Budget}
		}
		if mesh.Classify(got.status) != "failure" {
			x.budgets[k].Deposit(x.c.now)
		} else {
			x.profile.inc("route_retryable_total", r.dst, r.route.Name)
			if x.budgets[k].Withdraw(x.c.now) {
				r.attempt()
				return
			}
		}
	}
	r.finished = true
	x.profile.response("route_response_total", r.dst, r.route.Name, got.status)
	x.profile.inc("route_response_latency_ms_count", r.dst, r.route.Name,
		mesh.Label{Name: "status_code", Value: strconv.Itoa(got.status)})
	x.c.after(x.c.noise(), func() { r.done(got) })
}
