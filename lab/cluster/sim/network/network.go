// Package network is the only way out of the sim, and it leads nowhere: the hosts of the lab are served in memory or by a
// proxy of our own, everything else is refused.
//
// Two of Flagger's dependencies take their transport from process-wide state, so this package holds process-wide state, in
// one guarded place:
//   - Flagger's Prometheus client and its alert providers end in http.DefaultTransport
//     (flagger, pkg/metrics/providers/prometheus.go, pkg/notifier/client.go);
//   - Flagger's webhooks make a go-cleanhttp transport, which honours HTTP_PROXY, read once for the process
//     (flagger, pkg/controller/webhook.go; net/http.ProxyFromEnvironment).
//
// Each run serves its hosts under a name of its own, so that runs side by side do not meet. The package knows no scenario.
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

// ErrBlocked is the error of every connection to something outside the lab.
var ErrBlocked = errors.New("the lab has no network: only its own hosts can be reached")

// Network maps host names to what answers there.
type Network struct {
	mu         sync.RWMutex
	transports map[string]http.RoundTripper
	handlers   map[string]http.Handler
}

// installed is the one network of the process; see the package comment for why there is one.
var installed struct {
	once sync.Once
	net  *Network
	err  error
}

// Install takes over the process's default HTTP transport and proxy and returns the network behind them. It may be called
// any number of times, outside of any bubble, before anything in the process has read the proxy settings.
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

// checkProxySettings makes sure that the process reads our settings: net/http reads them once, and somebody may have been earlier.
func checkProxySettings(want *url.URL) error {
	for _, target := range []string{"http://gate.coalmine/", "https://gate.coalmine/"} {
		r, err := http.NewRequest(http.MethodGet, target, nil)
		if err != nil {
			return fmt.Errorf("network: %w", err)
		}
		if got, err := http.ProxyFromEnvironment(r); err != nil || got == nil || got.Host != want.Host {
			return fmt.Errorf("network: the process had read its proxy settings before the lab began (%v, %v): webhooks could leave it", got, err)
		}
	}
	return nil
}

// transport returns a transport whose schemes are all served in memory. Clones of it (Flagger makes one for
// insecureSkipVerify) lose the schemes and fail closed at the dialer.
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

// startProxy starts the proxy on a loopback port. It lives as long as the process.
func (n *Network) startProxy() (*url.URL, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("network: the lab needs a loopback port for its webhooks: %w", err)
	}
	s := &http.Server{Handler: http.HandlerFunc(n.serveProxy), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.Serve(l) }() // ends with the process
	return &url.URL{Scheme: "http", Host: l.Addr().String()}, nil
}

// serveProxy answers for the lab's hosts and refuses the rest. An idle connection would keep the bubble that opened it from ever
// idling, so each is closed after its answer.
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

// RegisterTransport serves a host in memory, for clients that use the default transport, until the returned function is called.
func (n *Network) RegisterTransport(host string, t http.RoundTripper) (remove func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.transports[host] = t
	return func() { n.mu.Lock(); delete(n.transports, host); n.mu.Unlock() }
}

// RegisterHandler serves a host through the proxy, for clients that honour HTTP_PROXY, until the returned function is called. The
// handler runs outside of any bubble: it must not ask for the time.
func (n *Network) RegisterHandler(host string, h http.Handler) (remove func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handlers[host] = h
	return func() { n.mu.Lock(); delete(n.handlers, host); n.mu.Unlock() }
}
