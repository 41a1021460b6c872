package certs_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/lab/cluster/kind/certs"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newChain(t testing.TB) certs.Chain {
	t.Helper()
	c, err := certs.New(now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parse(t testing.TB, text []byte) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(text)
	if block == nil || len(rest) > 0 {
		t.Fatalf("want one PEM block: %s", text)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// leaf is a workload's certificate, signed by the chain's issuer.
func leaf(t testing.TB, c certs.Chain, name string, at time.Time) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(c.IssuerKey)
	issuerKey, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: at, NotAfter: at.Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parse(t, c.IssuerCert), key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestNewMeetsLinkerdsRequirements(t *testing.T) {
	c := newChain(t)
	for _, x := range []struct {
		cert *x509.Certificate
		name string
		life time.Duration
	}{
		{parse(t, c.Roots), "root.linkerd.cluster.local", 10 * 365 * 24 * time.Hour},
		{parse(t, c.IssuerCert), "identity.linkerd.cluster.local", 365 * 24 * time.Hour},
	} {
		if x.cert.Subject.CommonName != x.name || !x.cert.IsCA || x.cert.PublicKeyAlgorithm != x509.ECDSA {
			t.Errorf("%s: want an authority %s of an ECDSA key", x.cert.Subject, x.name)
		}
		if curve := x.cert.PublicKey.(*ecdsa.PublicKey).Curve; curve != elliptic.P256() {
			t.Errorf("%s: curve %s, want P-256", x.name, curve.Params().Name)
		}
		if got := x.cert.NotAfter.Sub(now); got != x.life {
			t.Errorf("%s: valid for %v, want %v", x.name, got, x.life)
		}
	}
	all := bytes.Join([][]byte{c.Roots, c.IssuerCert, c.IssuerKey}, nil)
	if n := bytes.Count(all, []byte("PRIVATE KEY-----\n")); n != 2 { // one begins, one ends
		t.Errorf("%d lines of private keys, want those of the issuer's only", n)
	}
}

func TestWorkloadsAreTrusted(t *testing.T) {
	c := newChain(t)
	roots, issuers := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(c.Roots)
	issuers.AppendCertsFromPEM(c.IssuerCert)
	const name = "backend.develop.serviceaccount.identity.linkerd.cluster.local"
	options := x509.VerifyOptions{
		DNSName: name, Roots: roots, Intermediates: issuers, CurrentTime: now.Add(time.Hour),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	if _, err := leaf(t, c, name, now).Verify(options); err != nil {
		t.Error(err)
	}
	if _, err := leaf(t, newChain(t), name, now).Verify(options); err == nil {
		t.Error("a workload of another chain is trusted")
	}
}

// TestCheckOverTime: a chain is valid from its creation until its issuer expires, and Check reports
// the remaining time.
func TestCheckOverTime(t *testing.T) {
	c := newChain(t)
	rapid.Check(t, func(t *rapid.T) {
		after := time.Duration(rapid.Int64Range(int64(-2*certs.AnchorLife/10), int64(2*certs.AnchorLife/10)).Draw(t,
			"after"))
		left, err := c.Check(now.Add(after))
		if left.Issuer != certs.IssuerLife-after || left.Anchor != certs.AnchorLife-after {
			t.Errorf("after %v: %+v are left", after, left)
		}
		if good := after >= -20*time.Second && after <= certs.IssuerLife; good != (err == nil) {
			t.Errorf("after %v: %v", after, err)
		}
	})
}

// TestCheckRejectsMixedChains mixes parts of two chains: only complete chains are valid, with any
// number of roots.
func TestCheckRejectsMixedChains(t *testing.T) {
	chains := []certs.Chain{newChain(t), newChain(t)}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) int { return rapid.IntRange(0, 1).Draw(t, name) }
		root, cert, key, both := draw("root"), draw("cert"), draw("key"), rapid.Bool().Draw(t, "both roots")
		c := certs.Chain{Roots: chains[root].Roots, IssuerCert: chains[cert].IssuerCert,
			IssuerKey: chains[key].IssuerKey}
		if both {
			c.Roots = bytes.Join([][]byte{chains[0].Roots, chains[1].Roots}, nil)
		}
		_, err := c.Check(now)
		if good := cert == key && (both || root == cert); good != (err == nil) {
			t.Errorf("roots of %d (both: %v), certificate of %d, key of %d: %v", root, both, cert, key, err)
		}
	})
}

// TestCheckOfDamagedText truncates a part or flips a byte: Check must not panic, and must reject
// what decodes to something else.
func TestCheckOfDamagedText(t *testing.T) {
	c := newChain(t)
	rapid.Check(t, func(t *rapid.T) {
		broken := c
		part := []*[]byte{&broken.Roots, &broken.IssuerCert, &broken.IssuerKey}[rapid.IntRange(0, 2).Draw(t, "part")]
		certificate := part != &broken.IssuerKey
		text := bytes.Clone(*part)
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		if rapid.Bool().Draw(t, "cut") {
			text = text[:at]
		} else {
			text[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		}
		before, _ := pem.Decode(*part)
		after, _ := pem.Decode(text)
		*part = text
		same := after != nil && after.Type == before.Type && bytes.Equal(before.Bytes, after.Bytes)
		// A key's text has its public half too, which is not used.
		if _, err := broken.Check(now); err == nil && !same && (certificate || after == nil) {
			t.Errorf("valid although it was damaged:\n%s", text)
		}
	})
}

func TestCheckErrors(t *testing.T) {
	c := newChain(t)
	for want, x := range map[string]struct {
		certs.Chain
		at time.Time
	}{
		"trust anchors: no PEM certificate": {certs.Chain{IssuerCert: c.IssuerCert,
			IssuerKey: c.IssuerKey}, now},
		"issuer's certificate: no PEM certificate": {certs.Chain{Roots: c.Roots,
			IssuerKey: c.IssuerKey}, now},
		"issuer's key: no PEM block": {certs.Chain{Roots: c.Roots,
			IssuerCert: c.IssuerCert}, now},
		"is this machine's clock right":                                         {c, now.Add(-time.Hour)},
		"issuer identity.linkerd.cluster.local expired at 2027-03-01T12:00:00Z": {c, now.Add(2 * certs.IssuerLife)},
	} {
		if _, err := x.Check(x.at); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
