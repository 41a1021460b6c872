package control

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/wire"
)

// renewAt is the fraction of its lifetime after which a certificate is renewed, as proxies do with
// theirs.
const renewAt = 0.7

// trustStore has the issuer in the Secret, and the server's own certificate. A Secret that cannot
// be read leaves the previous issuer in place.
type trustStore struct {
	log *slog.Logger
	now func() time.Time
	// changed is called after each change.
	changed func()

	mu     sync.Mutex
	issuer *issuer
	server *tls.Certificate
	// serverIssuer is the issuer of server.
	serverIssuer *issuer
}

// errNoIssuer is the error before an issuer was read.
var errNoIssuer = errors.New("there is no issuer yet: Secret " + names.MeshNamespace + "/" + names.TrustSecret +
	" is missing or unreadable")

func (t *trustStore) current() (*issuer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.issuer == nil {
		return nil, errNoIssuer
	}
	return t.issuer, nil
}

// set reads the Secret.
func (t *trustStore) set(s *corev1.Secret) {
	i, err := newIssuer(s)
	if err != nil {
		t.log.Error("cannot read the issuer", "error", err)
		return
	}
	t.mu.Lock()
	t.issuer = i
	t.mu.Unlock()
	t.log.Info("issuer read", "subject", i.cert.Subject.CommonName, "ends", i.cert.NotAfter)
	t.changed()
}

// handler follows the Secret.
func (t *trustStore) handler() cache.ResourceEventHandler {
	read := func(o any) {
		if s, ok := o.(*corev1.Secret); ok && s.Name == names.TrustSecret && s.Namespace == names.MeshNamespace {
			t.set(s)
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: read, UpdateFunc: func(before, after any) {
		if before.(*corev1.Secret).ResourceVersion != after.(*corev1.Secret).ResourceVersion {
			read(after)
		}
	}}
}

// certificate returns the server's own certificate, for [tls.Config.GetCertificate]. It is renewed
// with each new issuer and before it expires.
func (t *trustStore) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.issuer == nil {
		return nil, errNoIssuer
	}
	if t.server != nil && t.serverIssuer == t.issuer && t.now().Before(renewal(t.server)) {
		return t.server, nil
	}
	c, err := t.issuer.serve(t.now(), serverNames()...)
	if err != nil {
		t.log.Error("cannot make the server's certificate", "error", err)
		return nil, err
	}
	t.server, t.serverIssuer = c, t.issuer
	return c, nil
}

// serverNames are the names by which pods and the API server connect to the control plane.
func serverNames() []string {
	name := wire.ControlService + "." + names.MeshNamespace
	return []string{name + ".svc", name + ".svc.cluster.local", name, wire.ControlService}
}

func renewal(c *tls.Certificate) time.Time {
	life := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)
	return c.Leaf.NotBefore.Add(time.Duration(float64(life) * renewAt))
}
