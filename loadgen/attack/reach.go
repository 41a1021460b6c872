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

// reachTimeout bounds the look at a target.
const reachTimeout = 10 * time.Second

// Reach tells whether servers can be reached: each host is dialled once, for https with a handshake, and sees no request. The
// error names every target that cannot, what is wrong, and what to do. A nil configuration is Go's default.
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

// hint says in plain words what an error means and what to do.
func hint(err error, to endpoint) string {
	host, port, _ := net.SplitHostPort(to.addr)
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "its certificate is of an authority that is not known here; give the authority's certificate with --ca, or take any with --insecure"
	case errors.As(err, new(x509.HostnameError)):
		return "its certificate is not for " + host + "; use the name that it is for, or take any with --insecure"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate is out of date or not valid yet; look at the clock, renew it, or take any with --insecure"
	case errors.As(err, &record):
		return "what answers does not speak TLS; is http:// meant?"
	}
	switch failure(err) {
	case loadgen.FailureRefused:
		return "nobody listens on port " + port + "; does the service run, and is the port right?"
	case loadgen.FailureName:
		return "the name " + strings.TrimSuffix(host, ".") + " is not known; is it spelt right, and can this machine resolve it?"
	case loadgen.FailureTimeout:
		return "no connection within " + reachTimeout.String() + "; is the address right, and does a firewall stand between?"
	case loadgen.FailureTLS:
		return "the TLS handshake failed; can the server speak TLS 1.2 or later, and does it ask for a client's certificate?"
	case loadgen.FailureReset:
		return "the connection broke; does the service speak " + map[bool]string{true: "https", false: "http"}[to.secure] + " there?"
	}
	return "cannot be reached"
}
