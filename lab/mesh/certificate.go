package mesh

import "time"

// CertificateLife is the life of a proxy's certificate in a default installation (linkerd2, values
// identity.issuer.issuanceLifetime).
const CertificateLife = 24 * time.Hour

// Bounds of the pause until a proxy asks for its next certificate (linkerd2-proxy,
// linkerd/app/src/env.rs, DEFAULT_IDENTITY_MIN_REFRESH and DEFAULT_IDENTITY_MAX_REFRESH).
const (
	minRefresh = 10 * time.Second
	maxRefresh = 24 * time.Hour
)

// Certificate is what a proxy has of its identity. The caller calls [Certificate.Refresh] at the
// time that [Certificate.NextRefresh] returns.
type Certificate struct {
	expires, next time.Duration
	valid         bool
}

// Expires returns when the certificate ends.
func (c *Certificate) Expires() time.Duration { return c.expires }

// Usable reports whether the certificate can be used for a new connection. A proxy without a first
// one keeps its pod in the init container.
func (c *Certificate) Usable(now time.Duration) bool { return c.valid && now < c.expires }

// NextRefresh returns when the proxy asks the identity service the next time.
func (c *Certificate) NextRefresh() time.Duration { return c.next }

// Refresh asks for a certificate with a life; issued is false if the identity service is away. The
// next time comes after 70 % of what is left, whether it was issued or not (linkerd2-proxy,
// linkerd/proxy/identity-client/src/certify.rs, refresh_in).
func (c *Certificate) Refresh(now, life time.Duration, issued bool) {
	if issued {
		c.expires, c.valid = now+life, true
	}
	pause := minRefresh
	if c.Usable(now) {
		pause = min(max((c.expires-now)*7/10, minRefresh), maxRefresh)
	}
	c.next = now + pause
}

// Handshake is what a new connection between two proxies comes to. Connections that are open go on
// when certificates end (recorded, identity-down), and clients outside the mesh notice nothing.
type Handshake uint8

// Outcomes of a handshake (recorded, certificate-expired).
const (
	// HandshakeDone is a connection.
	HandshakeDone Handshake = iota
	// HandshakeRefused is by the client, whose server's certificate has ended. The endpoint is not
	// available: without another, requests are answered 504 after [FailfastAfter], then 503.
	HandshakeRefused
	// HandshakeBroken is by the server, whose client's certificate has ended. The client's proxy
	// answers 502.
	HandshakeBroken
)

// Connect returns what a new connection comes to.
func Connect(now time.Duration, client, server *Certificate) Handshake {
	switch {
	case !server.Usable(now):
		return HandshakeRefused
	case !client.Usable(now):
		return HandshakeBroken
	}
	return HandshakeDone
}
