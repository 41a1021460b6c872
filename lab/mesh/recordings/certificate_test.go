package recordings

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"coalmine/lab/mesh"
)

// issuer is Linkerd's identity service.
type issuer struct {
	up bool
	// life is that of the certificates that it issues.
	life time.Duration
}

// issuerStart is how long the identity service takes to start. It is assumed.
const issuerStart = 8 * time.Second

// controlPlane does what a command does to the identity service; the rest of the control plane is not
// played.
func (c *cluster) controlPlane(args []string) {
	if !slices.Contains(args, "linkerd-identity") {
		return
	}
	for _, a := range args {
		if _, raw, ok := strings.Cut(a, "-identity-issuance-lifetime="); ok {
			raw, _, _ = strings.Cut(raw, `"`)
			if life, err := time.ParseDuration(raw); err == nil {
				c.issuer.life = life
			}
		}
		switch replicas, ok := strings.CutPrefix(a, "--replicas="); {
		case !ok:
		case replicas == "0":
			c.issuer.up = false
		default:
			c.after(issuerStart, func() { c.issuer.up = true })
		}
	}
}

// certify asks for a certificate, now and each time before it ends, while the pod lives.
func (c *cluster) certify(cert *mesh.Certificate, gone func() bool) {
	if gone() {
		return
	}
	cert.Refresh(c.now, c.issuer.life, c.issuer.up)
	c.after(cert.NextRefresh()-c.now, func() { c.certify(cert, gone) })
}

// whenCertified calls ready once the pod has a first certificate and has started.
func (p *pod) whenCertified(ready func()) {
	if p.cert.Usable(p.c.now) {
		p.c.after(podStart, ready)
		return
	}
	p.c.after(p.cert.NextRefresh()-p.c.now+time.Millisecond, func() { p.whenCertified(ready) })
}

var saysEnded = regexp.MustCompile(`(certificate|both|have|has) (has |have )?ended`)

// awaitEnd waits until short certificates have ended, if the name of a series says that they have:
// recordings do not have the time that passed before it.
func (c *cluster) awaitEnd(q send) {
	if c.issuer.up || !saysEnded.MatchString(q.Name) {
		return
	}
	c.run(10*time.Minute, func() bool {
		return !slices.ContainsFunc(c.pods, func(p *pod) bool {
			return !p.gone && p.cert.Usable(c.now) && p.cert.Expires() < c.now+10*time.Minute
		})
	})
}

// reachable returns the endpoints of a pool that its proxy has a connection to, or can try to make
// one. It tries the others again after growing pauses (linkerd2-proxy, linkerd/app/src/env.rs,
// DEFAULT_OUTBOUND_CONNECT_BACKOFF).
func (x *client) reachable(p *pool, list []*pod) []*pod {
	return slices.DeleteFunc(slices.Clone(list), func(e *pod) bool {
		if p.connected[e.id] || mesh.Connect(x.c.now, &x.cert, &e.cert) != mesh.HandshakeRefused {
			return false
		}
		if !p.trying[e.id] {
			p.trying[e.id] = true
			x.reconnect(p, e, 0)
		}
		return true
	})
}

func (x *client) reconnect(p *pool, e *pod, failed int) {
	x.c.after(x.connectBackoff(failed), func() {
		switch {
		case x.pools[p.key] != p || e.gone:
		case mesh.Connect(x.c.now, &x.cert, &e.cert) == mesh.HandshakeRefused:
			x.reconnect(p, e, failed+1)
		default:
			p.trying[e.id] = false
			x.update(p)
		}
	})
}

// connectBackoff is the pause after a number of failures in a row.
func (x *client) connectBackoff(failed int) time.Duration {
	base := min(100*time.Millisecond<<min(failed, 10), time.Minute)
	return base + time.Duration(x.c.bits()%uint64(base/10))
}

// connect makes the connection that an attempt needs. It returns true if the attempt goes on.
func (a *attempt) connect() bool {
	x, e := a.e.x, a.server
	if a.pool.connected[e.id] {
		return true
	}
	switch mesh.Connect(x.c.now, &x.cert, &e.cert) {
	case mesh.HandshakeRefused:
		x.update(a.pool)
		a.dispatch()
		return false
	case mesh.HandshakeBroken:
		// The server closes the connection after the client takes it for made. How often that is
		// noticed before a request is sent varied from 0 to 4 in the recording.
		wait := x.c.noise()
		for failed := range int(x.c.bits() % 5) {
			wait += x.connectBackoff(failed)
		}
		a.begin()
		x.c.after(wait, func() {
			a.answered(reply{status: 502, proxyError: "endpoint 10.x.x.x:8080: connection error",
				headers: map[string]string{"L5d-Proxy-Connection": "close"}})
		})
		return false
	}
	a.pool.connected[e.id] = true
	return true
}
