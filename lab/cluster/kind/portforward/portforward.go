// Package portforward makes a Service of a cluster reachable from this machine: a local port that
// leads to a pod behind the Service, through the API server's port-forward. It does not depend on
// the protocol.
package portforward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// connectTimeout bounds the time to connect to a pod.
const connectTimeout = 15 * time.Second

// Forwarder is a local port. It stays open while connections to the cluster, and pods, come and go:
// each new connection uses a pod that is ready at the time. Open connections end with their pod.
type Forwarder struct {
	target   target
	listener net.Listener
	dial     func(p pod) (httpstream.Connection, error)

	ctx    context.Context
	cancel context.CancelFunc
	open   sync.WaitGroup

	mu        sync.Mutex
	current   httpstream.Connection
	port      int // of the pod of current
	requestID int
}

// Open forwards a local port to a port of a Service, given by the Service's port number. A pod of
// the Service must be ready.
func Open(ctx context.Context, cfg *rest.Config, namespace, service string, port int) (*Forwarder, error) {
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("port-forward to %s.%s: %w", service, namespace, err)
	}
	dial := func(p pod) (httpstream.Connection, error) { return dialPod(cfg, client, p) }
	return open(ctx, target{client, namespace, service, port}, dial)
}

func open(ctx context.Context, to target, dial func(pod) (httpstream.Connection, error)) (*Forwarder, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", to, err)
	}
	t := &Forwarder{target: to, listener: listener, dial: dial}
	t.ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if _, _, err := t.connection(ctx); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	t.open.Go(t.serve)
	return t, nil
}

// Addr returns the local host and port.
func (t *Forwarder) Addr() string { return t.listener.Addr().String() }

// URL returns the local address for HTTP.
func (t *Forwarder) URL() string { return "http://" + t.Addr() }

// Close closes the forwarder and all its connections, and waits for them to end.
func (t *Forwarder) Close() error {
	t.cancel()
	err := t.listener.Close()
	t.closeCurrent(nil)
	t.open.Wait()
	return err
}

func (t *Forwarder) serve() {
	for {
		local, err := t.listener.Accept()
		if err != nil {
			return // closed
		}
		t.open.Go(func() {
			defer local.Close() //nolint:errcheck // nothing is left to be told
			t.forward(local)
		})
	}
}

// connection returns the current connection to a pod, or a new one, and the pod's port.
func (t *Forwarder) connection(ctx context.Context) (httpstream.Connection, int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil && !closed(t.current) {
		return t.current, t.port, nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	p, err := t.target.pod(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", t.target, err)
	}
	c, err := withContext(ctx, func() (httpstream.Connection, error) { return t.dial(p) },
		func(c httpstream.Connection) { _ = c.Close() })
	if err != nil {
		return nil, 0, fmt.Errorf("%s, pod %s: %w", t.target, p.name, err)
	}
	t.current, t.port = c, p.port
	return c, p.port, nil
}

// withContext stops waiting for a call that takes no context when the context ends. A later result
// is discarded.
func withContext[T any](ctx context.Context, call func() (T, error), discard func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := call()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				discard(r.value)
			}
		}()
		var none T
		return none, ctx.Err()
	}
}

func closed(c httpstream.Connection) bool {
	select {
	case <-c.CloseChan():
		return true
	default:
		return false
	}
}

// closeCurrent closes the current connection if it is c, or any if c is nil, so that the next use
// opens a new one.
func (t *Forwarder) closeCurrent(c httpstream.Connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil && (c == nil || c == t.current) {
		_ = t.current.Close()
		t.current = nil
	}
}

// forward forwards one local connection to the pod. It retries once if the connection to the
// cluster turns out to be broken before any data came through.
func (t *Forwarder) forward(local net.Conn) {
	for range 2 {
		c, port, err := t.connection(t.ctx)
		if err != nil {
			return
		}
		streams, err := withContext(t.ctx, func() (streams, error) { return t.streams(c, port) },
			func(s streams) { c.RemoveStreams(s.data, s.err) })
		if err != nil {
			t.closeCurrent(c)
			continue
		}
		if wrong := streams.pipe(t.ctx, local); wrong != "" {
			t.closeCurrent(c) // the pod is gone, or does not listen
		}
		c.RemoveStreams(streams.data, streams.err)
		return
	}
}

// streams are the two streams of a connection: its data, and the errors that the kubelet reports.
type streams struct{ data, err httpstream.Stream }

func (t *Forwarder) streams(c httpstream.Connection, port int) (streams, error) {
	t.mu.Lock()
	t.requestID++
	id := strconv.Itoa(t.requestID)
	t.mu.Unlock()
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, id)
	failed, err := c.CreateStream(headers)
	if err != nil {
		return streams{}, err
	}
	_ = failed.Close() // nothing is written to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := c.CreateStream(headers)
	if err != nil {
		c.RemoveStreams(failed)
		return streams{}, err
	}
	return streams{data, failed}, nil
}

// pipe copies in both directions until either side ends or the forwarder is closed. It returns the
// error that the kubelet reports, or "". A client that disconnects is not an error.
func (s streams) pipe(ctx context.Context, local net.Conn) string {
	failure := make(chan string, 1)
	go func() {
		message, err := io.ReadAll(io.LimitReader(s.err, 64<<10))
		if err != nil {
			message = nil // the stream was reset from this side
		}
		failure <- string(message)
	}()
	end := context.AfterFunc(ctx, func() {
		_ = s.data.Reset()
		_ = s.err.Reset()
		_ = local.Close()
	})
	defer end()
	go func() {
		_, _ = io.Copy(s.data, local)
		_ = s.data.Close() // only this half: the pod may still send
	}()
	if _, err := io.Copy(local, s.data); err != nil {
		_ = s.err.Reset()
	}
	_ = s.data.Reset()
	_ = local.Close()
	return <-failure
}

// dialPod opens a connection to the pod through the API server: WebSockets, or SPDY if the server
// lacks them.
func dialPod(cfg *rest.Config, client kubernetes.Interface, p pod) (httpstream.Connection, error) {
	url := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(p.namespace).Name(p.name).SubResource(
		"portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(cfg)
	if err != nil {
		return nil, err
	}
	overSPDY := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	overWebSocket, err := portforward.NewSPDYOverWebsocketDialer(url, cfg)
	if err != nil {
		return nil, err
	}
	dialer := portforward.NewFallbackDialer(overWebSocket, overSPDY, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	c, protocol, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, err
	}
	if protocol != portforward.PortForwardProtocolV1Name {
		return nil, errors.Join(fmt.Errorf("the API server speaks %q, not %s", protocol,
			portforward.PortForwardProtocolV1Name), c.Close())
	}
	return c, nil
}
