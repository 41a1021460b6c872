// Package certs creates the certificates of a mesh's identities: a trust anchor, and an issuer
// signed by it. It depends neither on clusters nor on the mesh.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Names that Linkerd uses for both (linkerd.io, "Automatically rotating control plane TLS
// credentials").
const (
	AnchorName = "root.linkerd.cluster.local"
	IssuerName = "identity.linkerd.cluster.local"
)

// Lifetimes. The anchor's private key is discarded after it has signed the issuer, so a cluster
// that outlives its issuer has to be recreated.
const (
	AnchorLife = 10 * 365 * 24 * time.Hour
	IssuerLife = 365 * 24 * time.Hour
)

// skew is the tolerated difference between clocks, as Linkerd's identity.issuer.clockSkewAllowance.
const skew = 20 * time.Second

// Chain is the trust chain of a mesh. All fields are PEM.
type Chain struct {
	// Roots are the trust anchors, and IssuerCert is the issuer's certificate, signed by one of
	// them.
	Roots, IssuerCert []byte
	// IssuerKey is an "EC PRIVATE KEY" (SEC 1).
	IssuerKey []byte
}

// New creates an anchor and an issuer with P-256 keys, valid from now. The anchor's private key is
// discarded.
func New(now time.Time) (Chain, error) {
	anchorKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Chain{}, fmt.Errorf("create the trust anchor's key: %w", err)
	}
	issuerKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Chain{}, fmt.Errorf("create the issuer's key: %w", err)
	}
	anchor, err := newCertificate(authority{name: AnchorName, life: AnchorLife, maxPathLen: 1}, now,
		&anchorKey.PublicKey, nil, anchorKey)
	if err != nil {
		return Chain{}, fmt.Errorf("create the trust anchor: %w", err)
	}
	issuer, err := newCertificate(authority{name: IssuerName, life: IssuerLife, maxPathLen: 0}, now,
		&issuerKey.PublicKey, anchor, anchorKey)
	if err != nil {
		return Chain{}, fmt.Errorf("create the issuer: %w", err)
	}
	key, err := x509.MarshalECPrivateKey(issuerKey)
	if err != nil {
		return Chain{}, fmt.Errorf("encode the issuer's key: %w", err)
	}
	return Chain{Roots: encodePEM(certType, anchor.Raw), IssuerCert: encodePEM(certType, issuer.Raw),
		IssuerKey: encodePEM(keyType, key)}, nil
}

// authority describes the anchor or the issuer.
type authority struct {
	name string
	life time.Duration
	// maxPathLen is the number of authorities allowed below it.
	maxPathLen int
}

func newCertificate(a authority, now time.Time, key *ecdsa.PublicKey, parent *x509.Certificate,
	signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: a.name},
		DNSNames:              []string{a.name},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(a.life),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            a.maxPathLen,
		MaxPathLenZero:        a.maxPathLen == 0,
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Types of PEM blocks.
const (
	certType = "CERTIFICATE"
	keyType  = "EC PRIVATE KEY"
)

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Validity is the remaining validity of certificates, negative after they expire.
type Validity struct {
	// Anchor is that of the trust anchor of the issuer that expires last.
	Anchor, Issuer time.Duration
}

// Check checks that the issuer's certificate matches its key, may sign, and is signed by a trust
// anchor, all at the time now, and returns the remaining validity. The Validity is set whenever the
// certificates can be parsed and belong together, even with an error.
func (c Chain) Check(now time.Time) (Validity, error) {
	issuer, err := parseOne(c.IssuerCert)
	if err != nil {
		return Validity{}, fmt.Errorf("issuer's certificate: %w", err)
	}
	roots, err := parseCertificates(c.Roots)
	if err != nil {
		return Validity{}, fmt.Errorf("trust anchors: %w", err)
	}
	if err := checkKey(issuer, c.IssuerKey); err != nil {
		return Validity{}, err
	}
	anchor := signerOf(issuer, roots)
	if anchor == nil {
		return Validity{}, errors.New("the issuer's certificate is not signed by any trust anchor")
	}
	left := Validity{Anchor: anchor.NotAfter.Sub(now), Issuer: issuer.NotAfter.Sub(now)}
	return left, errors.Join(checkValidity("trust anchor", anchor, now), checkValidity("issuer", issuer, now))
}

// signerOf returns the self-signed anchor that signed the issuer and expires last.
func signerOf(issuer *x509.Certificate, roots []*x509.Certificate) *x509.Certificate {
	var best *x509.Certificate
	for _, r := range roots {
		if issuer.CheckSignatureFrom(r) == nil && r.CheckSignatureFrom(r) == nil &&
			(best == nil || r.NotAfter.After(best.NotAfter)) {
			best = r
		}
	}
	return best
}

func checkValidity(what string, c *x509.Certificate, now time.Time) error {
	switch {
	case now.Before(c.NotBefore):
		return fmt.Errorf("%s %s is valid from %s: is this machine's clock right?", what, c.Subject.CommonName,
			c.NotBefore.Format(time.RFC3339))
	case now.After(c.NotAfter):
		return fmt.Errorf("%s %s expired at %s", what, c.Subject.CommonName, c.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// checkKey checks that a key belongs to the certificate, and that it may sign others.
func checkKey(issuer *x509.Certificate, keyPEM []byte) error {
	block, _ := pem.Decode(keyPEM)
	if block == nil || block.Type != keyType {
		return fmt.Errorf("issuer's key: no PEM block of type %s", keyType)
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("issuer's key: %w", err)
	}
	switch {
	case !key.PublicKey.Equal(issuer.PublicKey):
		return errors.New("issuer's key does not belong to its certificate")
	case !issuer.IsCA || issuer.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("issuer's certificate must not sign others")
	}
	return nil
}

func parseOne(text []byte) (*x509.Certificate, error) {
	all, err := parseCertificates(text)
	if err != nil {
		return nil, err
	}
	if len(all) > 1 {
		return nil, fmt.Errorf("%d certificates, want one", len(all))
	}
	return all[0], nil
}

func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != certType {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("no PEM certificate")
	}
	return all, nil
}
