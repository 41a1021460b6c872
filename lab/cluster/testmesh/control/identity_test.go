package control

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

func newKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func csrPEM(t *testing.T, key crypto.Signer, r x509.CertificateRequest) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &r, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func certifyBody(t *testing.T, csr string) *bytes.Reader {
	t.Helper()
	body, err := json.Marshal(wire.CertifyRequest{CSR: csr})
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(body)
}

// backend requests what the good token allows.
func backend() x509.CertificateRequest {
	return x509.CertificateRequest{DNSNames: []string{mesh.Identity("backend", "develop")}}
}

func TestCertificateIsForItsIdentity(t *testing.T) {
	secret := trustSecret(t, time.Now().Add(365*24*time.Hour))
	w := newWorld(t)
	w.control.trust.set(secret)
	key := newKey(t, elliptic.P256())
	answer := w.do(http.MethodPost, wire.PathIdentity, certifyBody(t, csrPEM(t, key, backend())), goodToken)
	var response wire.CertifyResponse
	if err := json.Unmarshal(answer.Body.Bytes(), &response); err != nil {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	first, rest := pem.Decode([]byte(response.Chain))
	second, rest := pem.Decode(rest)
	if first == nil || second == nil || len(rest) > 0 {
		t.Fatalf("want the leaf and the issuer: %s", response.Chain)
	}
	leaf, err := x509.ParseCertificate(first.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	between := x509.NewCertPool()
	between.AppendCertsFromPEM(pem.EncodeToMemory(second))
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		_, err = leaf.Verify(x509.VerifyOptions{Roots: pool(t, secret), Intermediates: between,
			DNSName: mesh.Identity("backend", "develop"), KeyUsages: []x509.ExtKeyUsage{usage}})
		if err != nil {
			t.Errorf("usage %v: %v", usage, err)
		}
	}
	if !key.PublicKey.Equal(leaf.PublicKey) || leaf.IsCA {
		t.Error("the certificate is not for the asker's key alone")
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life < 24*time.Hour || life > 24*time.Hour+time.Minute {
		t.Errorf("it lives for %v, want 24 h and the allowance for clocks", life)
	}
}

func TestRefusedCertificates(t *testing.T) {
	const self, other = "backend.develop.serviceaccount.identity.linkerd.cluster.local",
		"frontend.develop.serviceaccount.identity.linkerd.cluster.local"
	key := newKey(t, elliptic.P256())
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := csrPEM(t, key, backend())
	forged, _ := pem.Decode([]byte(good))
	forged.Bytes[len(forged.Bytes)-1] ^= 1
	for name, c := range map[string]struct {
		csr, token string
		review     func(*authenticationv1.TokenReview)
		status     int
		says       string
	}{
		"no token":      {csr: good, status: 401, says: "no token"},
		"unknown token": {csr: good, token: "x", status: 401, says: "not authenticated"},
		"token for the API": {csr: good, token: goodToken, review: func(r *authenticationv1.TokenReview) {
			asBackend(r)
			r.Status.Audiences = []string{"https://kubernetes.default.svc"}
		}, status: 401, says: "is for"},
		"token without audience": {csr: good, token: goodToken, review: func(r *authenticationv1.TokenReview) {
			asBackend(r)
			r.Status.Audiences = nil
		}, status: 401, says: "is for"},
		"token of a person": {csr: good, token: goodToken, review: func(r *authenticationv1.TokenReview) {
			asBackend(r)
			r.Status.User.Username = "admin"
		}, status: 401, says: "not a service account"},
		"another's name": {csr: csrPEM(t, key, x509.CertificateRequest{DNSNames: []string{other}}),
			token: goodToken, status: 400, says: self},
		"another's name as well": {csr: csrPEM(t, key, x509.CertificateRequest{DNSNames: []string{self, other}}),
			token: goodToken, status: 400, says: self},
		"another's as subject": {csr: csrPEM(t, key,
			x509.CertificateRequest{DNSNames: []string{self}, Subject: pkix.Name{CommonName: other}}),
			token: goodToken, status: 400, says: "subject"},
		"no name": {csr: csrPEM(t, key, x509.CertificateRequest{}), token: goodToken, status: 400,
			says: self},
		"an address as well": {csr: csrPEM(t, key,
			x509.CertificateRequest{DNSNames: []string{self}, IPAddresses: []net.IP{{10, 0, 0, 1}}}), token: goodToken,
			status: 400, says: self},
		"RSA key": {csr: csrPEM(t, weak, backend()), token: goodToken, status: 400, says: "P-256"},
		"P-384 key": {csr: csrPEM(t, newKey(t, elliptic.P384()), backend()), token: goodToken,
			status: 400, says: "P-256"},
		"signature of another": {csr: string(pem.EncodeToMemory(forged)), token: goodToken, status: 400,
			says: "bad certificate request"},
		"a certificate, no CSR": {csr: string(trustSecret(t, time.Now()).Data["tls.crt"]), token: goodToken,
			status: 400, says: "CERTIFICATE REQUEST"},
		"nothing": {token: goodToken, status: 400, says: "CERTIFICATE REQUEST"},
		"a request without end": {csr: strings.Repeat("x", maxRequest), token: goodToken, status: 400,
			says: "too large"},
		"API server does not say": {csr: good, token: goodToken, review: nil, status: 503, says: "TokenReview"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.control.trust.set(trustSecret(t, time.Now().Add(time.Hour)))
			switch {
			case c.review != nil:
				w.answerReviews(c.review)
			case c.status == 503:
				w.core.PrependReactor("create", "tokenreviews",
					func(clienttesting.Action) (bool, runtime.Object, error) {
						return true, nil, errors.New("connection refused")
					})
			}
			answer := w.do(http.MethodPost, wire.PathIdentity, certifyBody(t, c.csr), c.token)
			if answer.Code != c.status || !strings.Contains(answer.Body.String(), c.says) {
				t.Errorf("%d %s; want %d and %q", answer.Code, answer.Body, c.status, c.says)
			}
		})
	}
}

func TestNoCertificateOutlivesItsIssuer(t *testing.T) {
	now := time.Now()
	i, err := newIssuer(trustSecret(t, now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	der, err := i.sign(newKey(t, elliptic.P256()).Public(), now, "a.b")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if !leaf.NotAfter.Equal(i.cert.NotAfter) {
		t.Errorf("ends %v, want the issuer's end %v", leaf.NotAfter, i.cert.NotAfter)
	}
}

func TestExpiredIssuerSignsNothing(t *testing.T) {
	w := newWorld(t)
	w.control.trust.set(trustSecret(t, time.Now().Add(-time.Minute)))
	answer := w.do(http.MethodPost, wire.PathIdentity,
		certifyBody(t, csrPEM(t, newKey(t, elliptic.P256()), backend())), goodToken)
	if answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "expired") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	if _, err := w.control.trust.certificate(nil); !errors.Is(err, errExpired) {
		t.Errorf("the server's own certificate: %v", err)
	}
}

func TestWithoutAnIssuer(t *testing.T) {
	w := newWorld(t)
	answer := w.do(http.MethodPost, wire.PathIdentity,
		certifyBody(t, csrPEM(t, newKey(t, elliptic.P256()), backend())), goodToken)
	if answer.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

func TestSecretsThatDoNotFitTogether(t *testing.T) {
	until := time.Now().Add(time.Hour)
	anchor := newAuthority(t, "anchor", nil, until.Add(-2*time.Hour), until)
	issuer := newAuthority(t, "issuer", anchor, until.Add(-2*time.Hour), until)
	stranger := newAuthority(t, "stranger", nil, until.Add(-2*time.Hour), until)
	good := secretOf(t, anchor, issuer)
	if _, err := newIssuer(good); err != nil {
		t.Fatal(err)
	}
	leaf, err := newIssuer(good)
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t, elliptic.P256())
	der, err := leaf.sign(key.Public(), time.Now(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key   string
		value []byte
	}{
		"key of another":    {"tls.key", stranger.keyPEM(t)},
		"anchor of another": {"ca.crt", stranger.certPEM()},
		"no anchor":         {"ca.crt", []byte("none")},
		"no certificate":    {"tls.crt", nil},
		"not an anchor":     {"ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})},
	} {
		bad := good.DeepCopy()
		bad.Data[c.key] = c.value
		if _, err := newIssuer(bad); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestServerFollowsTheIssuer checks the certificate that callers get.
func TestServerFollowsTheIssuer(t *testing.T) {
	now := time.Now()
	w := newWorld(t)
	tr := w.control.trust
	tr.now = func() time.Time { return now }
	check := func(secret string, roots *x509.CertPool) *x509.Certificate {
		t.Helper()
		c, err := tr.certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		between := x509.NewCertPool()
		for _, der := range c.Certificate[1:] {
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			between.AddCert(cert)
		}
		for _, name := range []string{"testmesh-control.linkerd.svc", "testmesh-control.linkerd.svc.cluster.local"} {
			if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: name,
				CurrentTime: now}); err != nil {
				t.Errorf("%s, %s: %v", secret, name, err)
			}
		}
		return c.Leaf
	}
	one, two := trustSecret(t, now.Add(100*24*time.Hour)), trustSecret(t, now.Add(100*24*time.Hour))
	tr.set(one)
	first := check("one", pool(t, one))
	if again := check("one again", pool(t, one)); !again.Equal(first) {
		t.Error("a new certificate for each caller")
	}
	now = now.Add(17 * time.Hour)
	if renewed := check("one, 17 hours later", pool(t, one)); renewed.Equal(first) {
		t.Error("not renewed after 70 % of its life")
	}
	tr.set(two)
	check("two", pool(t, two))
	bad := one.DeepCopy()
	bad.Data["tls.key"] = nil
	tr.set(bad)
	check("two after an unreadable one", pool(t, two))
}
