package dataplane

import (
	"net/http"
	"time"

	"coalmine/lab/mesh"
)

// identityUp reports whether the identity service issues certificates.
func (p *Plane) identityUp() bool {
	return p.cfg.IdentityDownAfter == 0 || p.cursor == nil || p.now < p.trafficStart+p.cfg.IdentityDownAfter
}

// issuerEnded reports whether the issuer of a pod's certificates was brought by the release and has
// ended. Pods of the version before get theirs from the platform's issuer, as if a rollback took the
// other one back.
func (p *Plane) issuerEnded(d *pod) bool {
	return d.changed && p.issuerEnds > 0 && p.now >= p.issuerEnds
}

// certificateLife returns the life of a certificate that is issued now. It does not outlast its
// issuer (linkerd2, pkg/tls/ca.go).
func (p *Plane) certificateLife(d *pod) time.Duration {
	if d.changed && p.issuerEnds > 0 {
		return min(p.cfg.CertificateLife, p.issuerEnds-p.now)
	}
	return p.cfg.CertificateLife
}

// CertificateLeft returns for how long the certificate of a pod's proxy is still valid, and for how
// long certificates of this installation are; 0 and 0 for a pod without one.
func (p *Plane) CertificateLeft(name string) (left, life time.Duration) {
	d := p.podsByName[name]
	if d == nil || !d.Meshed {
		return 0, 0
	}
	return max(0, d.certificate.Expires()-p.now), p.cfg.CertificateLife
}

// certify asks for a certificate of a pod's proxy, and plans when it asks again. A pod that waited
// for its first one starts then.
func (p *Plane) certify(d *pod) {
	if d.removed {
		return
	}
	issued := p.identityUp() && !p.issuerEnded(d)
	d.certificate.Refresh(p.now, p.certificateLife(d), issued)
	p.events.add(d.certificate.NextRefresh(), certificateDue, int32(d.id), 0)
	if issued {
		d.recorder.CertificateExpires(p.cfg.Start.Add(d.certificate.Expires()))
	}
	if issued && d.inInit {
		d.inInit = false
		p.SetReady(d.Name, p.now)
		p.readiness = append(p.readiness, Readiness{d.Name, d.ready})
	}
}

// initialized reports whether a pod can start: its proxy needs a certificate first.
func (p *Plane) initialized(d *pod) bool {
	if !d.Meshed || d.server != nil || d.certificate.Usable(p.now) {
		return true
	}
	if !d.inInit {
		d.inInit = true
		p.readiness = append(p.readiness, Readiness{d.Name, false})
		p.endpointsChanged()
	}
	return false
}

// connect makes the mTLS connection of a client's proxy to a pod's. Once made it is kept, whatever
// becomes of the certificates. Without one the client's proxy answers; that it waits 3 s for an
// endpoint first is left out.
func (p *Plane) connect(h *hop, e *edge) bool {
	if e.connected {
		return true
	}
	status := 0
	switch mesh.Connect(p.now, &h.from.certificate, &e.server.certificate) {
	case mesh.HandshakeRefused:
		status = http.StatusServiceUnavailable
	case mesh.HandshakeBroken:
		status = http.StatusBadGateway
	default:
		e.connected = true
		return true
	}
	h.faultHit = h.faultHit || p.issuerEnded(e.server)
	h.byMesh = !h.faultHit
	p.returnResponse(h, status)
	return false
}
