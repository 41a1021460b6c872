package loadtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"time"

	"coalmine/lab/input"
	"coalmine/loadgen/attack"
)

// reachEvery is the time between attempts to reach a target that is waited for.
const reachEvery = 200 * time.Millisecond

// reach checks that the targets are reachable, for at most the given time.
func reach(ctx context.Context, a attack.Attack, wait time.Duration) error {
	for end := time.Now().Add(wait); ; {
		err := a.Reach(ctx)
		if err == nil || !time.Now().Before(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(reachEvery):
		}
	}
}

// addresses parses the values of --connect-to.
func addresses(values []string) (map[string]string, error) {
	const hint = "write HOST:PORT=HOST:PORT, or HOST:PORT=unix:/path/of/a/socket"
	byHost := map[string]string{}
	for _, value := range values {
		from, to, _ := strings.Cut(value, "=")
		if !isHostPort(from) || !isHostPort(to) && !(strings.HasPrefix(to, "unix:") && len(to) > len("unix:")) {
			return nil, input.New(hint, "--connect-to %q cannot be used", value)
		}
		if byHost[from] != "" {
			return nil, input.New("write each address once", "--connect-to: two addresses for %s", from)
		}
		byHost[from] = to
	}
	return byHost, nil
}

func isHostPort(text string) bool {
	host, port, err := net.SplitHostPort(text)
	return err == nil && host != "" && port != ""
}

// tlsConfig returns which server certificates to accept, and the client's.
func (o Options) tlsConfig(ctx context.Context) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Target.Insecure}
	if o.Target.Cert != "" || o.Target.Key != "" {
		if o.Target.Cert == "" || o.Target.Key == "" {
			return nil, input.New("write both, or neither", "--cert and --key belong together")
		}
		pair, err := loadPair(ctx, o.path(o.Target.Cert), o.path(o.Target.Key))
		if err != nil {
			return nil, input.New("name PEM files with a certificate and its key", "--cert and --key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if o.Target.CA == "" {
		return c, nil
	}
	data, err := input.ReadFile(ctx, o.path(o.Target.CA), maxPEM)
	if err != nil {
		return nil, input.New("", "--ca: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(data) {
		return nil, input.New("name a PEM file with certificates", "--ca %s: contains no certificate", o.Target.CA)
	}
	return c, nil
}

func loadPair(ctx context.Context, certName, keyName string) (tls.Certificate, error) {
	cert, err := input.ReadFile(ctx, certName, maxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := input.ReadFile(ctx, keyName, maxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

// maxPEM limits the size of a file with certificates. That of all public authorities has a quarter.
const maxPEM = 1 << 20
