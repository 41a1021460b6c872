package recordings

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/mesh"
	"coalmine/lab/mesh/k8s"
)

// call is one request.
type call struct {
	method string
	url    *url.URL
	// host is the Host header.
	host    string
	headers []mesh.Header
	body    int
	key     string
	// added are headers that filters add.
	added map[string]string
	gone  bool
	// of is the client's request that this is an attempt at, or nil.
	of *call
}

// canceled reports whether the client, or its proxy, has given up the request.
func (q *call) canceled() bool { return q.gone || q.of != nil && q.of.gone }

// client is a pod that sends requests, with its proxy if it is in the mesh.
type client struct {
	c        *cluster
	name     string
	meshed   bool
	self     mesh.Client
	cert     mesh.Certificate
	gone     bool
	recorder *mesh.Proxy
	table    *mesh.Table
	pools    map[poolKey]*pool
	// used is when the proxy last had a request for a Service, byProfile whether it began to follow
	// the ServiceProfile then.
	used      map[mesh.ServicePort]time.Duration
	byProfile map[mesh.ServicePort]bool
	order     []*pool
	routes    map[routeKey]*mesh.RouteStats
	backends  map[backendKey]*mesh.BackendStats
	outs      map[outKey]*mesh.Outbound
	budgets   map[mesh.ServicePort]*mesh.Budget
	profiles  map[profileKey]*mesh.ProfileStats
	// frozen are Services whose rules the proxy does not change any more; see [mesh.CompiledRule.Broken].
	frozen map[string]*mesh.Table
}

type poolKey struct{ parent, backend mesh.ServicePort }

type routeKey struct {
	parent mesh.ServicePort
	route  string
}

type backendKey struct {
	routeKey
	backend mesh.ServicePort
}

type outKey struct {
	pod, port int
	via       mesh.ServicePort
}

// pool is what the proxy has for a backend.
type pool struct {
	mesh.Pool
	lookup  mesh.Lookup
	service *corev1.Service
	key     poolKey
	queue   []func()
	// connected are the pods that the proxy has a connection to, trying those that it can make none
	// to.
	connected, trying map[int]bool
}

func (c *cluster) newClient(name string, i int) *client {
	x := &client{
		c: c, name: name, meshed: name != "outsider", self: mesh.Client{Addr: address(2, i+1)}, table: &mesh.Table{},
		pools: map[poolKey]*pool{}, used: map[mesh.ServicePort]time.Duration{}, byProfile: map[mesh.ServicePort]bool{},
		routes: map[routeKey]*mesh.RouteStats{}, backends: map[backendKey]*mesh.BackendStats{},
		outs: map[outKey]*mesh.Outbound{}, budgets: map[mesh.ServicePort]*mesh.Budget{},
		profiles: map[profileKey]*mesh.ProfileStats{}, frozen: map[string]*mesh.Table{},
	}
	if x.meshed {
		x.self.Identity = mesh.Identity(name, namespace)
		c.certify(&x.cert, func() bool { return x.gone })
	}
	x.recorder = c.registry.Proxy(-1-i, []mesh.Label{{Name: ofLabel, Value: name}})
	return x
}

// follow is called when routes have changed.
func (x *client) follow(routes []mesh.Route) {
	before := x.table
	// Routes of other namespaces than the Service's hold for clients of that namespace only.
	routes = slices.DeleteFunc(slices.Clone(routes), func(r mesh.Route) bool {
		return r.Namespace != namespace && slices.ContainsFunc(r.Parents, func(p mesh.Parent) bool {
			return p.Namespace != r.Namespace
		})
	})
	table, err := mesh.Compile(routes)
	if err != nil {
		panic(err)
	}
	x.table = table
	for name, s := range x.c.services {
		for _, p := range s.Spec.Ports {
			rules := table.Rules(s.Namespace, s.Name, int(p.Port))
			old := before.Rules(s.Namespace, s.Name, int(p.Port))
			broken := slices.ContainsFunc(rules, (*mesh.CompiledRule).Broken)
			if broken && !slices.ContainsFunc(old, (*mesh.CompiledRule).Broken) && x.knows(s) {
				x.frozen[name] = before
			}
		}
	}
}

// knows reports whether the proxy has sent to the Service.
func (x *client) knows(s *corev1.Service) bool {
	return slices.ContainsFunc(x.order, func(p *pool) bool {
		return p.key.parent.Name == s.Name && p.key.parent.Namespace == s.Namespace
	})
}

// servicePort returns the Service and port that a request is for.
func servicePort(s *corev1.Service, q *call) mesh.ServicePort {
	port, err := strconv.Atoi(q.url.Port())
	if err != nil {
		port = 80
	}
	return mesh.ServicePort{Namespace: s.Namespace, Name: s.Name, Port: port}
}

// pool returns the proxy's pool for a backend of a Service. It looks the backend up when it is first
// asked for.
func (x *client) pool(parent, backend mesh.ServicePort) *pool {
	k := poolKey{parent, backend}
	x.forgetIdle(parent)
	if p := x.pools[k]; p != nil {
		return p
	}
	p := &pool{key: k, service: x.c.services[backend.Namespace+"/"+backend.Name], connected: map[int]bool{},
		trying: map[int]bool{}}
	x.pools[k] = p
	x.order = append(x.order, p)
	x.ask(p)
	return p
}

// discoveryIdle is after how long without requests a proxy forgets a Service and all that it has for
// it (linkerd2-proxy, linkerd/app/src/env.rs, DEFAULT_OUTBOUND_DISCOVERY_IDLE_TIMEOUT).
const discoveryIdle = 5 * time.Second

// forgetIdle drops the pools of a Service that was not used for long.
func (x *client) forgetIdle(parent mesh.ServicePort) {
	if x.idle(parent) {
		x.order = slices.DeleteFunc(x.order, func(p *pool) bool {
			if p.key.parent == parent {
				delete(x.pools, p.key)
			}
			return p.key.parent == parent
		})
	}
	x.used[parent] = x.c.now
}

// idle reports whether the proxy has forgotten a Service.
func (x *client) idle(parent mesh.ServicePort) bool {
	last, ok := x.used[parent]
	return ok && x.c.now-last > discoveryIdle
}

// profileFor returns the ServiceProfile that a request to a Service follows, or nil. A proxy chooses
// between the ServiceProfile, which comes first, and the routes when it begins to use the Service
// (linkerd2-proxy, linkerd/app/outbound/src/sidecar.rs).
func (x *client) profileFor(s *corev1.Service, port mesh.ServicePort) *mesh.Profile {
	if _, uses := x.used[port]; !uses || x.idle(port) {
		x.byProfile[port] = x.profileOf(s) != nil
	}
	if !x.byProfile[port] {
		return nil
	}
	if p := x.profileOf(s); p != nil {
		return p
	}
	return &mesh.Profile{Service: s.Name, Namespace: s.Namespace, Budget: mesh.DefaultRetryBudget()}
}

func (x *client) ask(p *pool) {
	if p.lookup.Ask(len(x.c.endpoints(p.service))) {
		x.update(p)
		return
	}
	x.c.after(mesh.LookupTimeout, func() {
		if !p.lookup.Known() {
			x.c.after(p.lookup.GiveUp(x.c.bits()), func() { x.ask(p) })
		}
	})
}

// endpointsChanged is called when the endpoints of any Service or the annotations have changed.
func (x *client) endpointsChanged() {
	for _, p := range x.order {
		p.service = x.c.services[p.key.backend.Namespace+"/"+p.key.backend.Name]
		if p.lookup.Answer(len(x.c.endpoints(p.service))) {
			x.update(p)
		}
	}
}

func (x *client) update(p *pool) {
	var keys []int
	for _, e := range x.reachable(p, x.c.endpoints(p.service)) {
		keys = append(keys, e.id)
	}
	p.Set(x.c.now, keys)
	x.drain(p)
}

// drain sends what waits, as far as endpoints are available.
func (x *client) drain(p *pool) {
	if !p.Recover() {
		return
	}
	waiting := p.queue
	p.queue = nil
	for _, send := range waiting {
		send()
	}
}

// policyOf returns what a Service says to the proxy.
func (c *cluster) policyOf(s *corev1.Service, port int) *mesh.ServicePolicy {
	k := policyKey{s, port}
	if p := c.servicePolicies[k]; p != nil {
		return p
	}
	policy, _ := k8s.ServicePolicy(s, port) // Linkerd leaves out what it cannot parse, too
	c.servicePolicies[k] = &policy
	return &policy
}

type policyKey struct {
	service *corev1.Service
	port    int
}

// send sends a request and calls done with what comes back.
func (x *client) send(q *call, done func(reply)) {
	s := x.c.serviceOf(q.url.Hostname())
	if s == nil {
		x.c.after(0, func() { done(reply{err: "no such host"}) })
		return
	}
	if !x.meshed {
		x.sendDirect(s, q, done)
		return
	}
	port := servicePort(s, q)
	profile := x.profileFor(s, port)
	x.forgetIdle(port)
	switch x.c.policyOf(s, port.Port).Protocol {
	case mesh.ProtocolOpaque:
		x.sendDirect(s, q, done)
		return
	case mesh.ProtocolHTTP2:
		x.c.after(x.c.noise(), func() {
			done(reply{err: `malformed HTTP response "\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x04\x00\x00\xff\xff` +
				`\x00\x05\x00\x00@\x00\x00\x06\x00\x00@\x00"`})
		})
		return
	}
	table := x.table
	if frozen := x.frozen[s.Namespace+"/"+s.Name]; frozen != nil {
		table = frozen
	}
	if profile != nil {
		x.sendByProfile(profile, s, q, done)
		return
	}
	x.route(table, s, q, done)
}

// sendDirect sends a request past the routes.
func (x *client) sendDirect(s *corev1.Service, q *call, done func(reply)) {
	list := x.c.endpoints(s)
	if len(list) == 0 {
		x.c.after(time.Second, func() { done(reply{err: "connection refused"}) })
		return
	}
	to := list[x.c.bits()%uint64(len(list))]
	to.receive(x.self, targetPort(s, servicePort(s, q).Port, to), q, func(r reply) { x.c.after(0, func() { done(r) }) })
}

// route finds the rule of a request and answers what needs no backend.
func (x *client) route(table *mesh.Table, s *corev1.Service, q *call, done func(reply)) {
	port := servicePort(s, q)
	answer := func(r reply) { x.c.after(x.c.noise(), func() { done(r) }) }
	request := q.seen()
	rule := &mesh.CompiledRule{}
	if table.HasRoutes(s.Namespace, s.Name, port.Port) {
		if rule = table.Match(s.Namespace, s.Name, port.Port, request); rule == nil {
			answer(reply{status: 404, proxyError: logical + "no route"})
			return
		}
	}
	if slices.ContainsFunc(table.Rules(s.Namespace, s.Name, port.Port), (*mesh.CompiledRule).Broken) {
		answer(reply{err: "EOF"})
		return
	}
	if r, ok := redirect(rule.Redirect, rule, request); ok {
		x.routeStats(port, rule.Route).Response(r.counted(), r.proxy, 0)
		answer(r.reply)
		return
	}
	e := &exchange{x: x, service: s, parent: port, rule: rule, request: q, received: x.c.now, done: done}
	e.policy = x.c.policyOf(s, port.Port)
	e.timeouts, e.retry = rule.Limits(e.policy)
	e.attempt()
}

// redirect returns what a redirect answers a request with, if it does.
func redirect(r *mesh.Redirect, rule *mesh.CompiledRule, q *mesh.Request) (result, bool) {
	if r == nil {
		return result{}, false
	}
	status, location, ok := r.Answer(q, rule.MatchedPrefix(q))
	switch {
	case !ok:
		return result{}, false
	case location == "":
		return result{reply: reply{status: status, proxyError: "unexpected error",
			headers: map[string]string{"L5d-Proxy-Connection": "close"}}, proxy: mesh.ErrorUnknown, final: true}, true
	}
	return result{reply: reply{status: status, proxyError: "redirected",
		headers: map[string]string{"Location": location}}, final: true}, true
}

// seen returns what proxies see of the request.
func (q *call) seen() *mesh.Request {
	_, after, _ := strings.Cut(q.host, ":")
	port, _ := strconv.Atoi(after)
	return &mesh.Request{Method: q.method, Host: hostname(q.host), Port: port, Path: q.url.Path, Query: q.url.RawQuery,
		Headers: q.headers}
}

func hostname(host string) string {
	name, _, _ := strings.Cut(host, ":")
	return name
}

// logical begins the errors of a Service's routes; addresses are replaced in recordings.
const logical = "logical service 10.x.x.x:80: "

func (x *client) routeStats(parent mesh.ServicePort, r *mesh.Route) *mesh.RouteStats {
	k := routeKey{parent, routeID(r)}
	if x.routes[k] == nil {
		x.routes[k] = x.recorder.Route(parent, r)
	}
	return x.routes[k]
}

func routeName(r *mesh.Route) string {
	if r == nil {
		return "default.http"
	}
	return "HTTPRoute." + r.Namespace + "." + r.Name
}

func routeID(r *mesh.Route) string {
	if r == nil {
		return ""
	}
	return r.Group + "/" + routeName(r)
}

func (x *client) backendStats(parent mesh.ServicePort, r *mesh.Route, to mesh.ServicePort) *mesh.BackendStats {
	k := backendKey{routeKey{parent, routeID(r)}, to}
	if x.backends[k] == nil {
		x.backends[k] = x.recorder.Backend(parent, r, to)
	}
	return x.backends[k]
}

func (x *client) out(to *pod, port int, via mesh.ServicePort) *mesh.Outbound {
	k := outKey{to.id, port, via}
	if x.outs[k] == nil {
		x.outs[k] = x.recorder.Outbound(mesh.Destination{
			Addr: netip.AddrPortFrom(to.addr, uint16(port)), Identity: to.identity(), Service: via.Name,
			Namespace: via.Namespace, Port: via.Port, Pod: to.name, Deployment: to.deployment,
			ServiceAccount: to.account, TemplateHash: "HASH",
		})
	}
	return x.outs[k]
}
