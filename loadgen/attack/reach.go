package attack

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"coalmine/loadgen"
)

// reachTimeout limits the check of a target.
const reachTimeout = 10 * time.Second

// Reach checks that the targets, or the proxy, are reachable: it dials each host once, with a TLS
// handshake for https, and sends no request. The error names every unreachable host, the problem,
// and what to do.
func (a Attack) Reach(ctx context.Context) error {
	errs := make([]error, len(a.Targets))
	seen := make(map[endpoint]bool)
	var all sync.WaitGroup
	for i, u := range a.Targets {
		if err := checkTarget(u); err != nil {
			errs[i] = fmt.Errorf("target %w", err)
			continue
		}
		if a.Proxy != nil {
			proxy, err := a.Proxy(&http.Request{URL: u})
			if err != nil {
				errs[i] = err
				continue
			}
			u = cmp.Or(proxy, u)
		}
		if to := endpointOf(u); !seen[to] {
			seen[to] = true
			all.Go(func() { errs[i] = a.reach(ctx, u, to) })
		}
	}
	all.Wait()
	return errors.Join(errs...)
}

func (a *Attack) reach(ctx context.Context, u *url.URL, to endpoint) error {
	d := newDialer(reachTimeout, *a)
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

// alertNoProtocol is the alert no_application_protocol (RFC 7301, section 3.2).
const alertNoProtocol = tls.AlertError(120)

// hint explains an error and says what to do.
func hint(err error, to endpoint) string {
	host, port, _ := net.SplitHostPort(to.addr)
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var alert tls.AlertError
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
		if errors.As(err, &alert) && alert == alertNoProtocol {
			return "the server does not offer HTTP/1.1; use HTTP/2 with --http2"
		}
		return "the TLS handshake failed; check whether the server supports TLS 1.2 and whether it requires a client " +
			"certificate (--cert and --key)"
	case loadgen.FailureReset:
		return "the connection was reset; check that the port speaks " +
			map[bool]string{true: "https", false: "http"}[to.secure]
	}
	return "is unreachable"
}
