package proxy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// wired is the end of a redirected connection.
type wired struct {
	*net.TCPConn
	dst  netip.AddrPort
	from netip.Addr
}

func (w *wired) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(w.from, 40000))
}

type mailbox struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMailbox() *mailbox { return &mailbox{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (m *mailbox) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *mailbox) Close() error   { m.once.Do(func() { close(m.closed) }); return nil }
func (m *mailbox) Addr() net.Addr { return &net.TCPAddr{} }

// client is an HTTP client in the pod. It connects to the given address, whatever the host.
func (d *pod) client(to netip.Addr) *http.Client {
	t := &http.Transport{MaxIdleConnsPerHost: 100, DialContext: func(context.Context, string,
		string) (net.Conn, error) {
		return d.out(netip.AddrPortFrom(to, 80))
	}}
	d.testMesh.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

// got is a response.
type got struct {
	status int
	header http.Header
	body   string
}

// ask sends a request. Headers are pairs.
func ask(t testing.TB, c *http.Client, method, target, body string, headers ...string) got {
	t.Helper()
	r, err := http.NewRequest(method, "http://backend.develop"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got{answer.StatusCode, answer.Header, string(text)}
}

// authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t testing.TB) authority {
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{key, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (a authority) sign(t testing.TB, key *ecdsa.PublicKey, life time.Duration, names ...string) []byte {
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now.Add(-time.Second), NotAfter: now.Add(life),
		DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth,
			x509.ExtKeyUsageClientAuth},
	}, a.cert, key, a.key)
	if err != nil {
		t.Error(err)
	}
	return der
}

// route returns a route of the Service backend.
func route(rules ...mesh.Rule) func(*wire.Snapshot) {
	return func(s *wire.Snapshot) {
		s.Routes = []mesh.Route{{Name: "backend", Namespace: "develop",
			Parents: []mesh.Parent{{Service: "backend", Namespace: "develop"}}, Rules: rules}}
	}
}

func to(service string, weight int) mesh.Backend {
	return mesh.Backend{Service: service, Namespace: "develop", Port: 80, Weight: weight}
}
