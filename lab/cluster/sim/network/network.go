// Package network is the network of the sim: the lab's hosts are served in memory or by a proxy of
// the lab, and every other connection is refused.
//
// Two of Flagger's dependencies take their transport from process-wide state, so this package has
// process-wide state too, in one guarded place:
//   - Flagger's Prometheus client and its alert providers use http.DefaultTransport (flagger,
//     pkg/metrics/providers/prometheus.go, pkg/notifier/client.go);
//   - Flagger's webhooks make a go-cleanhttp transport, which honours HTTP_PROXY, read once per
//     process (flagger, pkg/controller/webhook.go; net/http.ProxyFromEnvironment).
//
// Each run serves its hosts under names of its own, so that concurrent runs do not interfere.
package network

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// ErrBlocked is the error of every connection to a host outside the lab.
var ErrBlocked = errors.New("the lab has no network: only its own hosts can be reached")

// Network maps host names to their servers.
type Network struct {
	mu         sync.RWMutex
	transports map[string]http.RoundTripper
	handlers   map[string]http.Handler
}

// installed is the network of the process; see the package comment.
var installed struct {
	once sync.Once
	net  *Network
	err  error
}

// Install replaces the process's default HTTP transport and proxy and returns the network behind
// them. It may be called any number of times. The first call must be outside any bubble and before
// the process reads its proxy settings.
func Install() (*Network, error) {
	installed.once.Do(func() { installed.net, installed.err = install() })
	return installed.net, installed.err
}

func install() (*Network, error) {
	n := &Network{transports: map[string]http.RoundTripper{}, handlers: map[string]http.Handler{}}
	proxy, err := n.startProxy()
	if err != nil {
		return nil, err
	}
	if err := checkLoopback(proxy.Host); err != nil {
		return nil, err
	}
	http.DefaultTransport = n.transport()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		if err := os.Setenv(name, proxy.String()); err != nil {
			return nil, fmt.Errorf("network: %w", err)
		}
	}
	for _, name := range []string{"NO_PROXY", "no_proxy", "REQUEST_METHOD"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, fmt.Errorf("network: %w", err)
		}
	}
	return n, checkProxySettings(proxy)
}

// loopbackTimeout limits the time for a connection to this machine.
const loopbackTimeout = 5 * time.Second

// checkLoopback connects to the proxy once. Without a loopback interface, as in a new network
// namespace, no webhook would arrive, and the guardrails would be blamed for it.
func checkLoopback(address string) error {
	c, err := net.DialTimeout("tcp", address, loopbackTimeout)
	if err != nil {
		return fmt.Errorf("network: the lab cannot connect to itself, so no webhook would arrive: %w; "+
			"it needs a loopback interface: ip link set lo up", err)
	}
	return c.Close()
}

// checkProxySettings checks that the process uses the lab's proxy: net/http reads the settings
// once, which may have happened before.
func checkProxySettings(want *url.URL) error {
	for _, target := range []string{"http://gate.coalmine/", "https://gate.coalmine/"} {
		r, err := http.NewRequest(http.MethodGet, target, nil)
		if err != nil {
			return fmt.Errorf("network: %w", err)
		}
		if got, err := http.ProxyFromEnvironment(r); err != nil || got == nil || got.Host != want.Host {
			return fmt.Errorf("network: the process read its proxy settings before the lab could set them (%v, %v), "+
				"so webhooks could reach the outside", got, err)
		}
	}
	return nil
}

// transport returns a transport that serves all schemes in memory. Clones of it (Flagger makes one
// for insecureSkipVerify) lose the schemes; their dialer refuses every connection.
func (n *Network) transport() *http.Transport {
	refuse := func(_ context.Context, network, address string) (net.Conn, error) {
		return nil, fmt.Errorf("%s %s: %w", network, address, ErrBlocked)
	}
	t := &http.Transport{
		DialContext:    refuse,
		DialTLSContext: refuse,
		TLSNextProto:   map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	for _, scheme := range []string{"http", "https"} {
		t.RegisterProtocol(scheme, roundTripperFunc(n.roundTrip))
	}
	return t
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (n *Network) roundTrip(r *http.Request) (*http.Response, error) {
	n.mu.RLock()
	t := n.transports[r.URL.Hostname()]
	n.mu.RUnlock()
	if t == nil {
		return nil, fmt.Errorf("%s: %w", r.URL.Host, ErrBlocked)
	}
	return t.RoundTrip(r)
}

// startProxy starts the proxy on a loopback port. It runs as long as the process.
func (n *Network) startProxy() (*url.URL, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("network: listen on a loopback port for webhooks: %w", err)
	}
	s := &http.Server{Handler: http.HandlerFunc(n.serveProxy), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.Serve(l) }() // ends with the process
	return &url.URL{Scheme: "http", Host: l.Addr().String()}, nil
}

// serveProxy serves the lab's hosts and refuses all others. It closes each connection after the
// response, since an idle connection would keep the bubble that opened it from becoming idle.
func (n *Network) serveProxy(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	host := strings.ToLower(r.URL.Hostname())
	n.mu.RLock()
	h := n.handlers[host]
	n.mu.RUnlock()
	if h == nil || r.Method == http.MethodConnect {
		http.Error(w, fmt.Sprintf("%s: %v", r.Host, ErrBlocked), http.StatusForbidden)
		return
	}
	r.Body = io.NopCloser(io.LimitReader(r.Body, 1<<20))
	h.ServeHTTP(w, r)
}

// RegisterTransport serves a host in memory, for clients that use the default transport, until
// remove is called.
func (n *Network) RegisterTransport(host string, t http.RoundTripper) (remove func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.transports[host] = t
	return func() { n.mu.Lock(); delete(n.transports, host); n.mu.Unlock() }
}

// RegisterHandler serves a host through the proxy, for clients that honour HTTP_PROXY, until remove
// is called. The handler runs outside any bubble, so it must not read the clock.
func (n *Network) RegisterHandler(host string, h http.Handler) (remove func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handlers[host] = h
	return func() { n.mu.Lock(); delete(n.handlers, host); n.mu.Unlock() }
}
