package server

import (
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

// Headers of calls between the services. A route cannot always be told by its path: the callee may have another for it.
const (
	routeHeader = "Coalmine-Route"
	depthHeader = "Coalmine-Depth"
)

// maxDepth bounds chains of calls, as in the sim: addresses that lead in a circle come to an end.
const maxDepth = 8

// Bounds of the connections to other services. Idle ones end well before the other side ends them, so that a call seldom meets
// one that is just being closed.
const (
	dialTimeout     = 5 * time.Second
	idleCalls       = 1024
	idleCallTimeout = 30 * time.Second
)

// calls asks other services.
type calls struct {
	to        map[string]*url.URL
	transport *http.Transport
}

func newCalls(to map[string]*url.URL) calls {
	return calls{to: to, transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: idleCalls, IdleConnTimeout: idleCallTimeout, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
	}}
}

// upstreamResponse is what another service answered.
type upstreamResponse struct {
	status int
	// served, workloads and faults are lists as in the headers, of the whole chain behind.
	served, workloads, faults string
	wrong                     bool
}

var errNoUpstream = errors.New("its address is not known")

// call asks a service for what the visit asks for, with all that its client sent. The error says why there is no answer.
func (c *calls) call(v *activeRequest, svc, route, marked string) (upstreamResponse, error) {
	base := c.to[svc]
	if base == nil {
		return upstreamResponse{}, errNoUpstream
	}
	if v.depth+1 >= maxDepth {
		return upstreamResponse{}, errors.New("the chain of calls is too long: do the addresses lead in a circle?")
	}
	r, err := c.transport.RoundTrip(newCallRequest(v, base, route, marked))
	if err != nil {
		return upstreamResponse{}, err
	}
	defer r.Body.Close() // what could fail was read before
	if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, service.MaxSize)); err != nil {
		return upstreamResponse{}, err
	}
	hit, wrong := traceheader.Truth(r.Header)
	p := upstreamResponse{
		status: r.StatusCode, served: strings.Join(r.Header[traceheader.ServedHeader], ", "),
		workloads: strings.Join(r.Header[traceheader.WorkloadHeader], ", "), wrong: wrong,
	}
	if hit {
		p.faults = strings.Join(r.Header[traceheader.FaultHeader], ", ")
	}
	return p, nil
}

func newCallRequest(v *activeRequest, base *url.URL, route, marked string) *http.Request {
	asked, prefix := v.request.URL, strings.TrimSuffix(base.EscapedPath(), "/")
	u := &url.URL{
		Scheme: base.Scheme, Host: base.Host, RawQuery: asked.RawQuery,
		Path: strings.TrimSuffix(base.Path, "/") + asked.Path, RawPath: prefix + asked.EscapedPath(),
	}
	h := forwardedHeaders(v.request.Header)
	h[traceheader.RequestHeader] = []string{marked}
	h[routeHeader] = []string{route}
	h[depthHeader] = []string{strconv.Itoa(v.depth + 1)}
	r := &http.Request{Method: v.request.Method, URL: u, Host: base.Host, Header: h}
	return r.WithContext(v.ctx)
}

// forwardedHeaders has the headers that a call takes along: all but those of the connection (RFC 9110, 7.6.1), of the body, and of the
// mesh's own, which its proxies set.
func forwardedHeaders(from http.Header) http.Header {
	h := make(http.Header, len(from)+4)
	for name, values := range from {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
			"Transfer-Encoding", "Upgrade", "Content-Length", "Content-Type", "Content-Encoding", "Expect", "Accept-Encoding":
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
		h["User-Agent"] = []string{""} // or the client of net/http would name itself, which nobody sent
	}
	return h
}

// callDepth is how many calls led to a request.
func callDepth(r *http.Request) int {
	n, err := strconv.Atoi(r.Header.Get(depthHeader))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, maxDepth)
}

// callFailure says why a call failed.
func callFailure(err error) string {
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return "nobody answers at its address"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it broke the connection off"
	}
	return err.Error()
}
