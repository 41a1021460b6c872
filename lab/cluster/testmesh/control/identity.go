package control

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"coalmine/lab/cluster/testmesh/wire"
)

// maxRequest bounds a proxy's request, in bytes. A certificate request has less than 1 KiB.
const maxRequest = 64 << 10

// identityHandler signs workload certificates: [wire.PathIdentity].
type identityHandler struct {
	trust    *trustStore
	reviewer *reviewer
	metrics  *metrics
	log      *slog.Logger
	now      func() time.Time
}

// errBadRequest is the error for a certificate request that must not be signed.
var errBadRequest = errors.New("bad certificate request")

func (s *identityHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, who, err := s.certify(w, r)
	if err != nil {
		s.refuse(w, who, err)
		return
	}
	s.metrics.issued.Inc()
	s.log.Info("certificate issued", "identity", who.identity())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // a caller that is gone asks again
}

// certify authenticates the caller, then checks the request.
func (s *identityHandler) certify(w http.ResponseWriter, r *http.Request) (wire.CertifyResponse, account, error) {
	who, err := s.reviewer.review(r.Context(), bearer(r))
	if err != nil {
		return wire.CertifyResponse{}, who, err
	}
	var request wire.CertifyRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&request); err != nil {
		return wire.CertifyResponse{}, who, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	csr, err := checkRequest(request.CSR, who.identity())
	if err != nil {
		return wire.CertifyResponse{}, who, err
	}
	issuer, err := s.trust.current()
	if err != nil {
		return wire.CertifyResponse{}, who, err
	}
	der, err := issuer.sign(csr.PublicKey, s.now(), who.identity())
	if err != nil {
		return wire.CertifyResponse{}, who, err
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return wire.CertifyResponse{Chain: string(leaf) + string(issuer.chain)}, who, nil
}

// checkRequest parses a certificate request. Its signature proves that the key is the caller's, and
// it must ask for nothing but the identity. The certificate takes only the key from it.
func checkRequest(text, identity string) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, fmt.Errorf("%w: csr is not a CERTIFICATE REQUEST in PEM", errBadRequest)
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	if key, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: the key is %s; want ECDSA P-256", errBadRequest, csr.PublicKeyAlgorithm)
	}
	if len(csr.EmailAddresses)+len(csr.IPAddresses)+len(csr.URIs) > 0 || len(csr.DNSNames) != 1 ||
		csr.DNSNames[0] != identity {
		return nil, fmt.Errorf("%w: it asks for %q; the token allows only the DNS name %s", errBadRequest,
			csr.DNSNames, identity)
	}
	if cn := csr.Subject.CommonName; cn != "" && cn != identity {
		return nil, fmt.Errorf("%w: its subject is %q; leave it empty, or write %s", errBadRequest, cn, identity)
	}
	return csr, nil
}

// refuse answers 401 for a token, 400 for a request, and 503 for what may pass.
func (s *identityHandler) refuse(w http.ResponseWriter, who account, err error) {
	status, reason := http.StatusServiceUnavailable, "unavailable"
	switch {
	case errors.Is(err, errUnauthenticated):
		status, reason = http.StatusUnauthorized, "unauthenticated"
	case errors.Is(err, errBadRequest):
		status, reason = http.StatusBadRequest, "request"
	case errors.Is(err, errExpired):
		reason = "expired"
	}
	s.metrics.refused.WithLabelValues(reason).Inc()
	s.log.Warn("certificate refused", "namespace", who.namespace, "account", who.name, "status", status, "error", err)
	http.Error(w, err.Error(), status)
}
