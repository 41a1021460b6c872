package attack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"coalmine/loadgen"
)

// reachTimeout limits the check of a target.
const reachTimeout = 10 * time.Second

// Reach checks that servers are reachable: it dials each host once, with a TLS handshake for https,
// and sends no request. The error names every unreachable target, the problem, and what to do. A
// nil configuration is Go's default.
func Reach(ctx context.Context, targets []*url.URL, config *tls.Config) error {
	errs := make([]error, len(targets))
	seen := make(map[endpoint]bool)
	var all sync.WaitGroup
	for i, u := range targets {
		if err := checkTarget(u); err != nil {
			errs[i] = fmt.Errorf("target %w", err)
			continue
		}
		if to := endpointOf(u); !seen[to] {
			seen[to] = true
			all.Go(func() { errs[i] = reach(ctx, u, to, config) })
		}
	}
	all.Wait()
	return errors.Join(errs...)
}

func reach(ctx context.Context, u *url.URL, to endpoint, config *tls.Config) error {
	d := newDialer(reachTimeout, config, false)
	defer d.close()
	_, err := d.connect(ctx, to)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("target %s://%s: %s: %w", u.Scheme, u.Host, hint(err, to), err)
}

// hint explains an error and says what to do.
func hint(err error, to endpoint) string {
	host, port, _ := net.SplitHostPort(to.addr)
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "the server's certificate is signed by an unknown authority; pass the CA certificate with --ca, or " +
			"accept any with --insecure"
	case errors.As(err, new(x509.HostnameError)):
		return "the server's certificate is not valid for " + host + "; use a name it is valid for, or accept any " +
			"with --insecure"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate has expired or is not valid yet; check the clock, renew it, or accept any " +
			"with --insecure"
	case errors.As(err, &record):
		return "the server does not speak TLS; use http:// instead of https://?"
	}
	switch failure(err) {
	case loadgen.FailureRefused:
		return "nothing listens on port " + port + "; check that the service is running and that the port is right"
	case loadgen.FailureName:
		return "the name " + strings.TrimSuffix(host, ".") + " does not resolve; check the spelling and the DNS of " +
			"this machine"
	case loadgen.FailureTimeout:
		return "no connection within " + reachTimeout.String() + "; check the address and the firewalls in between"
	case loadgen.FailureTLS:
		return "the TLS handshake failed; check whether the server supports TLS 1.2 and whether it requires a client " +
			"certificate"
	case loadgen.FailureReset:
		return "the connection was reset; check that the port speaks " +
			map[bool]string{true: "https", false: "http"}[to.secure]
	}
	return "is unreachable"
}
