// Package certs makes the certificates that a mesh's identities hang on: a trust anchor, and an issuer that it signed. It knows
// neither clusters nor the mesh that uses them.
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

// Names that Linkerd gives to both (linkerd.io, "Automatically rotating control plane TLS credentials").
const (
	AnchorName = "root.linkerd.cluster.local"
	IssuerName = "identity.linkerd.cluster.local"
)

// How long both are good for. The anchor's own key is gone once it has signed the issuer, so a lab that outlives its issuer is
// brought up anew.
const (
	AnchorLife = 10 * 365 * 24 * time.Hour
	IssuerLife = 365 * 24 * time.Hour
)

// skew is how far clocks of machines may be apart, as Linkerd's identity.issuer.clockSkewAllowance.
const skew = 20 * time.Second

// Chain is what a mesh needs to tell its own from others. All are PEM.
type Chain struct {
	// Roots are the trust anchors, IssuerCert the issuer's certificate, which one of them signed.
	Roots, IssuerCert []byte
	// IssuerKey is "EC PRIVATE KEY" (SEC 1).
	IssuerKey []byte
}

// New makes an anchor and an issuer of P-256 keys, valid from now on. The anchor's key is kept nowhere.
func New(now time.Time) (Chain, error) {
	anchorKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Chain{}, fmt.Errorf("make the trust anchor's key: %w", err)
	}
	issuerKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Chain{}, fmt.Errorf("make the issuer's key: %w", err)
	}
	anchor, err := newCertificate(authority{name: AnchorName, life: AnchorLife, maxPathLen: 1}, now, &anchorKey.PublicKey, nil, anchorKey)
	if err != nil {
		return Chain{}, fmt.Errorf("make the trust anchor: %w", err)
	}
	issuer, err := newCertificate(authority{name: IssuerName, life: IssuerLife, maxPathLen: 0}, now, &issuerKey.PublicKey, anchor, anchorKey)
	if err != nil {
		return Chain{}, fmt.Errorf("make the issuer: %w", err)
	}
	key, err := x509.MarshalECPrivateKey(issuerKey)
	if err != nil {
		return Chain{}, fmt.Errorf("write the issuer's key: %w", err)
	}
	return Chain{Roots: encodePEM(certType, anchor.Raw), IssuerCert: encodePEM(certType, issuer.Raw), IssuerKey: encodePEM(keyType, key)}, nil
}

// authority is what the two differ in.
type authority struct {
	name string
	life time.Duration
	// maxPathLen is how many authorities may stand below it.
	maxPathLen int
}

func newCertificate(a authority, now time.Time, key *ecdsa.PublicKey, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
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

// Validity is how long certificates are still good for, negative after their end.
type Validity struct {
	// Anchor is that of the root that ends last among those that vouch for the issuer.
	Anchor, Issuer time.Duration
}

// Check tells whether the issuer's certificate fits its key, may sign, and leads to a trust anchor, all at the time now, and how
// long that stays so. Left is right whenever the certificates can be read and belong together, error or not.
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
		return Validity{}, errors.New("no trust anchor has signed the issuer's certificate")
	}
	left := Validity{Anchor: anchor.NotAfter.Sub(now), Issuer: issuer.NotAfter.Sub(now)}
	return left, errors.Join(checkValidity("trust anchor", anchor, now), checkValidity("issuer", issuer, now))
}

// signerOf returns the anchor that vouches for the issuer, and for itself, and ends last.
func signerOf(issuer *x509.Certificate, roots []*x509.Certificate) *x509.Certificate {
	var best *x509.Certificate
	for _, r := range roots {
		if issuer.CheckSignatureFrom(r) == nil && r.CheckSignatureFrom(r) == nil && (best == nil || r.NotAfter.After(best.NotAfter)) {
			best = r
		}
	}
	return best
}

func checkValidity(what string, c *x509.Certificate, now time.Time) error {
	switch {
	case now.Before(c.NotBefore):
		return fmt.Errorf("%s %s is good from %s on: is this machine's clock right?", what, c.Subject.CommonName, c.NotBefore.Format(time.RFC3339))
	case now.After(c.NotAfter):
		return fmt.Errorf("%s %s ended at %s", what, c.Subject.CommonName, c.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// checkKey tells whether a key is the certificate's, and whether both may sign others.
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
		return errors.New("issuer's key is another than its certificate's")
	case !issuer.IsCA || issuer.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("issuer's certificate may not sign others")
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
