package recordings

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"coalmine/lab/mesh"
)

// pod is a pod with the recordings' server and a proxy.
type pod struct {
	c                           *cluster
	id                          int
	name, namespace, deployment string
	template                    string
	labels, annotations         map[string]string
	ports                       map[string]int
	addr                        netip.Addr
	account                     string

	// version is the server's name, delay and status what it does without being asked.
	version string
	delay   time.Duration
	status  int

	ready, gone bool
	cert        mesh.Certificate
	// runs is set while the server's process runs.
	runs     bool
	restarts int
	// failedProbes counts those in a row.
	failedProbes int
	requests     int
	byKey        map[string]int
	// working are the requests that the server works on.
	working map[*work]bool
	// broken are the connections to the server that broke, by the client's identity.
	broken   map[string]*brokenConn
	recorder *mesh.Proxy
	inbounds map[string]*mesh.Inbound
	// gatekeepers are by port. Their policies are nil after a change.
	gatekeepers map[int]*gatekeeper
}

type work struct{ done func(reply) }

// reply is what comes back for a request.
type reply struct {
	status int
	// server is the value of X-Server, proxyError that of l5d-proxy-error, err an error of the
	// client's connection.
	server, proxyError, err string
	headers                 map[string]string
	pod                     *pod
	// broken is set if the server closed the connection without an answer.
	broken bool
}

func (c *cluster) startPod(d *appsv1.Deployment) *pod {
	template, _ := json.Marshal(d.Spec.Template)
	id := len(c.pods)
	p := &pod{
		c: c, id: id, name: fmt.Sprintf("%s-%d", d.Name, id), namespace: d.Namespace, deployment: d.Name,
		template: string(template), labels: d.Spec.Template.Labels, annotations: d.Spec.Template.Annotations,
		ports: map[string]int{}, addr: address(1, id+1), account: d.Spec.Template.Spec.ServiceAccountName,
		runs: true, byKey: map[string]int{}, working: map[*work]bool{}, broken: map[string]*brokenConn{},
		inbounds: map[string]*mesh.Inbound{}, gatekeepers: map[int]*gatekeeper{},
	}
	p.recorder = c.registry.Proxy(id, []mesh.Label{{Name: ofLabel, Value: d.Name}})
	main := d.Spec.Template.Spec.Containers[0]
	for _, port := range main.Ports {
		p.ports[port.Name] = int(port.ContainerPort)
	}
	for i := 0; i+1 < len(main.Args); i++ {
		switch value := main.Args[i+1]; main.Args[i] {
		case "-name":
			p.version = value
		case "-delay":
			p.delay, _ = time.ParseDuration(value)
		case "-status":
			p.status, _ = strconv.Atoi(value)
		}
	}
	c.pods = append(c.pods, p)
	c.certify(&p.cert, func() bool { return p.gone })
	return p
}

func (p *pod) identity() string { return mesh.Identity(p.account, p.namespace) }

func (p *pod) setReady(ready bool) {
	if p.gone || p.ready == ready {
		return
	}
	p.ready, p.c.disturbed = ready, true
	p.failedProbes = 0
	if ready {
		p.probeLater()
	}
	p.c.endpointsChanged()
}

// terminate deletes the pod: it gets no new requests, and ends those that it has.
func (p *pod) terminate() {
	if !p.gone {
		p.gone, p.c.disturbed = true, true
		p.c.endpointsChanged()
	}
}

// probeLater is the kubelet's readiness probe, each second; three failures in a row make the pod
// unready.
func (p *pod) probeLater() {
	p.c.after(time.Second, func() {
		if p.gone || !p.runs {
			return
		}
		kubelet := mesh.Client{Addr: address(0, 1)}
		probe := &call{method: "GET", url: &url.URL{Path: "/healthz"}}
		if in, status := p.admit(kubelet, p.ports["http"], probe); status != 0 {
			p.failedProbes++
		} else {
			if in != nil {
				in.Response(p.c.now, 200, time.Millisecond)
			}
			p.failedProbes = 0
			p.becomeReady()
		}
		if p.failedProbes == 3 {
			p.ready, p.c.disturbed = false, true
			p.c.endpointsChanged()
		}
		p.probeLater()
	})
}

func (p *pod) becomeReady() {
	if !p.ready {
		p.ready, p.c.disturbed = true, true
		p.c.endpointsChanged()
	}
}

// exit ends the server's process. The kubelet notices, and starts it again after 0, 10, 20, 40 s.
func (p *pod) exit() {
	p.runs = false
	for w := range p.working {
		delete(p.working, w)
		w.done(reply{status: 500, broken: true})
	}
	pause := time.Duration(0)
	if p.restarts > 0 {
		pause = 10 * time.Second << (p.restarts - 1)
	}
	p.restarts++
	p.c.after(noticeExit, func() {
		p.setReady(false)
		p.c.after(pause+200*time.Millisecond, func() {
			p.runs = true
			p.setReady(true)
		})
	})
}

// receive is the pod's proxy: it admits a request of a client and passes it to the server.
func (p *pod) receive(from mesh.Client, port int, q *call, done func(reply)) *work {
	w := &work{}
	w.done = done
	in, status := p.admit(from, port, q)
	if status != 0 {
		p.c.after(p.c.noise(), func() { w.done(reply{status: status}) })
		return w
	}
	start := p.c.now
	finish := func(r reply) {
		delete(p.working, w)
		switch {
		case q.canceled() || in == nil:
		case r.broken:
			in.Failed(p.c.now)
		default:
			in.Response(p.c.now, r.status, p.c.now-start)
		}
		w.done(r)
	}
	listens := port == p.ports["http"] || port == p.ports["other"]
	wait := p.connectDelay(from)
	if !p.runs || !listens {
		p.c.after(wait+p.c.noise(), func() {
			p.broke(from)
			finish(reply{status: 502})
		})
		return w
	}
	inner := &work{done: finish}
	if q.canceled() {
		return w // before it reached the server
	}
	p.working[inner] = true
	p.c.after(wait, func() { p.serve(from, q, inner) })
	return w
}

// brokenConn is a connection to the server that broke. The pause before the next begins when the
// next request comes.
type brokenConn struct{ until time.Duration }

// connectDelay is how long a request waits until the proxy connects to the server again. The proxy
// keeps connections for each client in the mesh (linkerd2-proxy, linkerd/app/src/env.rs,
// DEFAULT_INBOUND_CONNECT_BACKOFF).
func (p *pod) connectDelay(from mesh.Client) time.Duration {
	b := p.broken[from.Identity]
	if b == nil {
		return 0
	}
	if b.until == 0 {
		b.until = p.c.now + 105*time.Millisecond
	}
	if b.until <= p.c.now {
		delete(p.broken, from.Identity)
		return 0
	}
	return b.until - p.c.now
}

func (p *pod) broke(from mesh.Client) {
	if from.Identity != "" {
		p.broken[from.Identity] = &brokenConn{}
	}
}

// serve is the recordings' server.
func (p *pod) serve(from mesh.Client, q *call, w *work) {
	if !p.working[w] {
		return
	}
	p.requests++
	query := q.url.Query()
	r := reply{status: 200, server: p.version, pod: p}
	switch {
	case q.url.Path == "/healthz":
		r.server, r.pod = "", nil
	case query.Has("close"):
		p.broke(from)
		p.c.after(p.c.noise(), func() { w.done(reply{status: 500, broken: true}) })
		return
	case query.Has("exit"):
		p.exit()
		return
	}
	if p.status != 0 {
		r.status = p.status
	}
	if raw := query.Get("status"); raw != "" {
		r.status, _ = strconv.Atoi(raw)
	}
	if raw := query.Get("fail"); raw != "" {
		first, all, _ := strings.Cut(raw, "/")
		k, _ := strconv.Atoi(first)
		n, _ := strconv.Atoi(all)
		if (p.requests-1)%n < k {
			r.status = 503
		}
	}
	if raw := query.Get("failfirst"); raw != "" {
		p.byKey[q.key]++
		if k, _ := strconv.Atoi(raw); p.byKey[q.key] <= k {
			r.status = 503
		}
	}
	delay := p.delay
	if raw := query.Get("delay"); raw != "" {
		delay, _ = time.ParseDuration(raw)
	}
	r.headers = p.echo(from, q)
	p.c.after(delay+p.c.noise(), func() {
		if p.working[w] {
			w.done(r)
		}
	})
}

// echo returns the headers with what the server saw.
func (p *pod) echo(from mesh.Client, q *call) map[string]string {
	h := map[string]string{"X-Host": q.host, "X-Path": q.url.Path, "X-Proto": "HTTP/1.1", "X-Server": p.version}
	if from.Identity != "" {
		h["X-Seen-L5d-Client-Id"] = from.Identity
	}
	for _, sent := range q.headers { // of the headers that clients send, the server echoes X-Set*
		if name := http.CanonicalHeaderKey(sent.Name); strings.HasPrefix(name, "X-Set") {
			h["X-Seen-"+name] = sent.Value
		}
	}
	for name, value := range q.added {
		if seen := "X-Seen-" + http.CanonicalHeaderKey(name); h[seen] == "" {
			h[seen] = value
		}
	}
	return h
}

// noise is what a hop takes on two busy cores.
func (c *cluster) noise() time.Duration {
	u := float64(c.bits()>>11) / (1 << 53)
	d := 400*time.Microsecond + time.Duration(u*u*float64(1200*time.Microsecond))
	if c.bits()%32 == 0 {
		d += time.Duration(float64(c.bits()>>11) / (1 << 53) * float64(12*time.Millisecond))
	}
	return d
}
