package control

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/cluster/names"
)

// Lifetimes of certificates are those of a default installation of Linkerd (linkerd2,
// charts/linkerd-control-plane/values.yaml, identity.issuer.issuanceLifetime and
// clockSkewAllowance).
const (
	leafLifetime = 24 * time.Hour
	clockSkew    = 20 * time.Second
)

// errExpired is the error for an issuer that may not sign any more.
var errExpired = errors.New("the issuer's certificate has expired")

// issuer signs workload certificates. It is immutable: a new Secret makes a new issuer.
type issuer struct {
	cert  *x509.Certificate
	key   crypto.Signer
	chain []byte // the issuer's certificate, PEM
	roots []byte // the trust anchors, PEM
}

// newIssuer reads the trust Secret. It checks that the key fits the certificate and that an anchor
// has signed it, so that a mix-up shows here and not in every proxy. Expiry is checked by
// [issuer.sign].
func newIssuer(s *corev1.Secret) (*issuer, error) {
	i, err := readIssuer(s.Data)
	if err != nil {
		return nil, fmt.Errorf("secret %s/%s: %w", s.Namespace, s.Name, err)
	}
	return i, nil
}

func readIssuer(data map[string][]byte) (*issuer, error) {
	pair, err := tls.X509KeyPair(data[names.IssuerCert], data[names.IssuerKey])
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", names.IssuerCert, names.IssuerKey, err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: a %T cannot sign", names.IssuerKey, pair.PrivateKey)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data[names.TrustRoots]) {
		return nil, fmt.Errorf("%s has no certificate in PEM", names.TrustRoots)
	}
	cert := pair.Leaf
	if !cert.IsCA {
		return nil, fmt.Errorf("%s is not a CA's certificate and cannot sign", names.IssuerCert)
	}
	// The middle of its lifetime, as expiry is checked when it signs.
	at := cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) / 2)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return nil, fmt.Errorf("%s is not signed by an anchor in %s: %w", names.IssuerCert, names.TrustRoots, err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	return &issuer{cert: cert, key: key, chain: chain, roots: data[names.TrustRoots]}, nil
}

// sign makes a leaf certificate for a key, for clients and servers of the names. It is valid for 24
// hours, but not longer than the issuer. The leaf is returned as DER.
func (i *issuer) sign(key crypto.PublicKey, now time.Time, nameList ...string) ([]byte, error) {
	if !now.Before(i.cert.NotAfter) {
		return nil, fmt.Errorf("%w on %s; give Secret %s a new one", errExpired,
			i.cert.NotAfter.UTC().Format(time.RFC3339), names.TrustSecret)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	end := now.Add(leafLifetime)
	if end.After(i.cert.NotAfter) {
		end = i.cert.NotAfter
	}
	leaf := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName(nameList[0])},
		DNSNames:     nameList,
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     end,
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	return x509.CreateCertificate(rand.Reader, leaf, i.cert, key, i.key)
}

// commonName returns "" for names that are longer than a common name may be (RFC 5280,
// ub-common-name).
func commonName(name string) string {
	if len(name) > 64 {
		return ""
	}
	return name
}

// serve makes a key and certificate for the control plane's server.
func (i *issuer) serve(now time.Time, names ...string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	der, err := i.sign(key.Public(), now, names...)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, i.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}
