package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen/traceheader"
)

// Headers of calls between services. The route is sent by name, because the upstream service may
// have another route for the path.
const (
	routeHeader = "Coalmine-Route"
	depthHeader = "Coalmine-Depth"
	// finishHeader is set on calls with a timeout: the service that is called finishes its work
	// whether or not its client waits, as the sim's do.
	finishHeader = "Coalmine-Finish"
	// extraHeader is set on calls that are made only because a released version retries.
	extraHeader = "Coalmine-Extra"
)

// Faults of a released version's calls, besides those of its behaviour.
const (
	faultCallTimeout = "call-timeout"
	faultExtraCall   = "extra-call"
)

// maxDepth limits chains of calls, as in the sim, in case addresses form a cycle.
const maxDepth = 8

// Limits of connections to other services. Idle connections are closed well before the other side
// does, so that a call rarely uses one that is being closed.
const (
	dialTimeout     = 5 * time.Second
	idleCalls       = 1024
	idleCallTimeout = 30 * time.Second
)

// calls calls other services.
type calls struct {
	to        map[string]*url.URL // by service
	transport *http.Transport
}

func newCalls(to map[string]*url.URL) calls {
	return calls{to: to, transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: idleCalls, IdleConnTimeout: idleCallTimeout, DisableCompression: true,
		MaxResponseHeaderBytes: maxHeader,
	}}
}

// upstreamResponse is the response of another service.
type upstreamResponse struct {
	status int
	// served, workloads and faults are lists as in the headers, of the whole chain of calls.
	served, workloads, faults string
	wrong                     bool
	// byMesh is set if a proxy answered in place of a service of the chain.
	byMesh bool
}

var errNoUpstream = errors.New("its address is unknown")

// attempt is one attempt at a call of another service.
type attempt struct {
	service string
	// call may be nil.
	call *service.Call
	// route and trace are the values of headers.
	route, trace string
	extra        bool
}

// call sends a request to another service, with the headers that the client sent. The error says
// why there is no response.
func (c *calls) call(ar *activeRequest, a attempt) (upstreamResponse, error) {
	base := c.to[a.service]
	if base == nil {
		return upstreamResponse{}, errNoUpstream
	}
	if ar.depth+1 >= maxDepth {
		return upstreamResponse{}, errors.New("the chain of calls is too long: do the addresses form a cycle?")
	}
	ctx := ar.ctx
	if a.call != nil && a.call.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, a.call.Timeout)
		defer stop()
	}
	r, err := c.transport.RoundTrip(newCallRequest(ar, base, &a).WithContext(ctx))
	if err != nil {
		return upstreamResponse{}, err
	}
	defer r.Body.Close() // the body is read below
	if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, service.MaxSize)); err != nil {
		return upstreamResponse{}, err
	}
	hit, wrong := traceheader.Truth(r.Header)
	p := upstreamResponse{
		status: r.StatusCode, served: strings.Join(r.Header[traceheader.ServedHeader], ", "),
		workloads: strings.Join(r.Header[traceheader.WorkloadHeader], ", "), wrong: wrong,
		byMesh: traceheader.ByMeshOnly(r.Header),
	}
	if hit {
		p.faults = strings.Join(r.Header[traceheader.FaultHeader], ", ")
	}
	return p, nil
}

func newCallRequest(ar *activeRequest, base *url.URL, a *attempt) *http.Request {
	target, prefix := ar.request.URL, strings.TrimSuffix(base.EscapedPath(), "/")
	u := &url.URL{
		Scheme: base.Scheme, Host: base.Host, RawQuery: target.RawQuery,
		Path: strings.TrimSuffix(base.Path, "/") + target.Path, RawPath: prefix + target.EscapedPath(),
	}
	h := forwardedHeaders(ar.request.Header)
	delete(h, finishHeader)
	if a.call != nil {
		for _, name := range a.call.DropHeaders {
			h.Del(name)
		}
		if a.call.Timeout > 0 {
			h[finishHeader] = []string{"1"}
		}
	}
	if a.extra {
		h[extraHeader] = []string{"1"}
	}
	h[traceheader.RequestHeader] = []string{a.trace}
	h[routeHeader] = []string{a.route}
	h[depthHeader] = []string{strconv.Itoa(ar.depth + 1)}
	return &http.Request{Method: ar.request.Method, URL: u, Host: base.Host, Header: h}
}

// forwardedHeaders returns the headers that are forwarded: all but those of the connection (RFC
// 9110, 7.6.1), of the body, and of the mesh's proxies.
func forwardedHeaders(from http.Header) http.Header {
	h := make(http.Header, len(from)+4)
	for name, values := range from {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
			"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Content-Type",
			"Content-Encoding", "Expect", "Accept-Encoding":
		default:
			if !strings.HasPrefix(name, "L5d-") {
				h[name] = values
			}
		}
	}
	for _, line := range from["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	if _, sent := h["User-Agent"]; !sent {
		h["User-Agent"] = []string{""} // prevents net/http from sending its own
	}
	return h
}

// callDepth returns the number of calls that led to a request.
func callDepth(r *http.Request) int {
	n, err := strconv.Atoi(r.Header.Get(depthHeader))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, maxDepth)
}

// callFailure describes why a call failed.
func callFailure(err error) string {
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return "no server answers at its address"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it closed the connection"
	}
	return err.Error()
}
