package proxy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"coalmine/lab/cluster/backoff"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// renewAt is the fraction of its lifetime after which a certificate is renewed (linkerd2-proxy,
// linkerd/proxy/identity-client/src/certify.rs).
const renewAt = 0.7

// credentials are the proxy's certificate and trust anchors. They are immutable.
type credentials struct {
	certificate tls.Certificate
	roots       *x509.CertPool
	// server is for connections to this pod.
	server *tls.Config
}

// client is for connections of this pod. The server's identity must be the expected one.
func (c *credentials) client(identity string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: c.roots, ServerName: identity,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &c.certificate, nil
		},
	}
}

func newCredentials(cert tls.Certificate, roots *x509.CertPool) *credentials {
	return &credentials{certificate: cert, roots: roots, server: &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, ClientCAs: roots,
		ClientAuth:             tls.RequireAndVerifyClientCert,
		SessionTicketsDisabled: true, // connections are kept
	}}
}

// identityOf returns the identity in a verified certificate.
func identityOf(chain []*x509.Certificate) (string, error) {
	if len(chain) == 0 || len(chain[0].DNSNames) != 1 ||
		!strings.HasSuffix(chain[0].DNSNames[0], "."+mesh.IdentityDomain) {
		return "", errors.New("the client's certificate has no identity of the mesh")
	}
	return chain[0].DNSNames[0], nil
}

// keepIdentity gets a certificate, and renews it before it expires.
func (p *Proxy) keepIdentity(ctx context.Context) {
	pause := pollBackoff()
	for {
		leaf, err := p.renewIdentity(ctx)
		wait := time.Duration(0)
		if err == nil {
			pause.Reset()
			wait = time.Until(leaf.NotBefore.Add(time.Duration(renewAt * float64(leaf.NotAfter.Sub(leaf.NotBefore)))))
			p.log.Info("certificate issued", "identity", p.identity, "until", leaf.NotAfter)
		} else if ctx.Err() == nil {
			p.log.Warn("cannot get a certificate", "error", err)
		}
		if backoff.Sleep(ctx, max(wait, pause.Next())) != nil {
			return
		}
	}
}

// renewIdentity gets a certificate for a new key. On an error the current one stays.
func (p *Proxy) renewIdentity(ctx context.Context) (*x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{DNSNames: []string{p.identity}}, key)
	if err != nil {
		return nil, err
	}
	roots, err := p.roots()
	if err != nil {
		return nil, err
	}
	chain, err := p.certify(ctx, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))
	if err != nil {
		return nil, err
	}
	cert, err := readChain(chain, key, p.identity, roots)
	if err != nil {
		return nil, fmt.Errorf("the issued certificate is invalid: %w", err)
	}
	p.credentials.Store(newCredentials(*cert, roots))
	p.mu.Lock()
	p.meter.proxy.CertificateExpires(cert.Leaf.NotAfter)
	p.wake()
	p.mu.Unlock()
	return cert.Leaf, nil
}

func (p *Proxy) roots() (*x509.CertPool, error) {
	text, err := os.ReadFile(p.cfg.RootsFile)
	if err != nil {
		return nil, fmt.Errorf("trust anchors: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("trust anchors: %s has no certificate", p.cfg.RootsFile)
	}
	return roots, nil
}

// certify sends a signing request and returns the chain.
func (p *Proxy) certify(ctx context.Context, csr []byte) ([]byte, error) {
	client, err := p.controlClient()
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	body, err := json.Marshal(wire.CertifyRequest{CSR: string(csr)})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var answer wire.CertifyResponse
	if _, err := p.call(ctx, client, http.MethodPost, p.cfg.Control.JoinPath(wire.PathIdentity), bytes.NewReader(body),
		&answer); err != nil {
		return nil, err
	}
	return []byte(answer.Chain), nil
}

// readChain parses a certificate for a key and verifies it.
func readChain(text []byte, key *ecdsa.PrivateKey, identity string, roots *x509.CertPool) (*tls.Certificate, error) {
	cert := &tls.Certificate{PrivateKey: key}
	between := x509.NewCertPool()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		if cert.Leaf == nil {
			cert.Leaf = parsed
		} else {
			between.AddCert(parsed)
		}
		cert.Certificate = append(cert.Certificate, block.Bytes)
	}
	if cert.Leaf == nil {
		return nil, errors.New("there is no certificate")
	}
	if !key.PublicKey.Equal(cert.Leaf.PublicKey) {
		return nil, errors.New("it is for another key")
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{
		DNSName: identity, Roots: roots, Intermediates: between,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return cert, err
}
