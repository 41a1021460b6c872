package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen/traceheader"
)

// Limits of a request's body, which is read and discarded.
const (
	maxBody     = 1 << 20
	bodyTimeout = 30 * time.Second
)

// statusClientClosed is the status in the metrics for a client that closed the connection before
// the response, as in nginx. It is never sent.
const statusClientClosed = 499

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.inFlight.enter() {
		panic(http.ErrAbortHandler) // the server has stopped
	}
	defer s.inFlight.leave()
	resp := &response{w: w, server: s, head: r.Method == http.MethodHead}
	defer s.recoverPanic(resp, r)
	if s.routes.opsPaths[r.URL.Path] {
		s.serveOps(resp, r)
		return
	}
	if r.Header.Get(traceheader.DrillHeader) != "" {
		s.serveDrill(resp, r)
		return
	}
	route, allowed, ok := s.routes.find(r)
	switch {
	case ok:
		s.serveRoute(resp, r, route)
	case len(allowed) > 0:
		resp.w.Header().Set("Allow", strings.Join(allowed, ", "))
		resp.writeError(http.StatusMethodNotAllowed, "this path allows "+strings.Join(allowed, ", "))
	default:
		resp.writeError(http.StatusNotFound, "no route has this path; the routes are "+s.routes.listing)
	}
}

// recoverPanic answers 500 if the handler panicked before it wrote a response.
func (s *Server) recoverPanic(resp *response, r *http.Request) {
	x := recover()
	if x == nil {
		return
	}
	if x == http.ErrAbortHandler || resp.started {
		panic(http.ErrAbortHandler)
	}
	s.log.Error("a request panicked", "method", r.Method, "path", r.URL.Path, "panic", x,
		"stack", string(debug.Stack()))
	resp.writeError(http.StatusInternalServerError, "internal error, see the log of the service")
}

// serveRoute serves a request for a route.
func (s *Server) serveRoute(resp *response, r *http.Request, route int) {
	ar := &activeRequest{request: r, arrived: s.cfg.Clock.Now(), depth: callDepth(r)}
	ctx := r.Context()
	if r.Header.Get(finishHeader) != "" {
		ctx = context.WithoutCancel(ctx)
	}
	ar.ctx, ar.cancel = context.WithCancelCause(ctx)
	defer ar.cancel(nil)
	s.identifier.identify(ar, s.cfg.Seed)
	ar.req.Route = uint16(route)
	var err error
	if ar.model, err = s.models.get(ar.seed); err != nil {
		s.log.Error("no model", "seed", ar.seed, "error", err)
		resp.writeError(http.StatusInternalServerError, "no model for this seed, see the log of the service")
		return
	}
	if !resp.readBody(r) {
		return
	}
	defer s.pod.finish(ar)
	if s.admit(resp, ar) {
		s.work(resp, ar)
	}
}

// admit offers the request to the pod and waits for a slot. If there is none, it writes an error
// and returns false.
func (s *Server) admit(resp *response, ar *activeRequest) bool {
	switch s.pod.offer(ar) {
	case service.Started:
		return true
	case service.Queued:
		if err := ar.waitForSlot(); err != nil {
			s.abandon(ar, err)
		}
		return true
	case service.Rejected:
		s.count(ar, http.StatusServiceUnavailable)
		resp.setFaults(ar.faults, "")
		resp.writeError(http.StatusServiceUnavailable, "all slots are busy and the queue is full")
	default:
		s.refuseNotReady(resp)
	}
	return false
}

// refuseNotReady refuses a request before the service is ready. After a kill it closes the
// connection, as for a process that does not run.
func (s *Server) refuseNotReady(resp *response) {
	if s.pod.restartCount() > 0 {
		panic(http.ErrAbortHandler)
	}
	left := s.pod.readyIn().Round(100 * time.Millisecond)
	resp.w.Header().Set("Retry-After", retryAfter(left))
	resp.writeError(http.StatusServiceUnavailable, "the service is starting up, ready in "+left.String())
}

// work takes the time of the request's work, calls another service if needed, and writes the
// response.
func (s *Server) work(resp *response, ar *activeRequest) {
	s.sleep(ar, ar.since.Add(ar.work.Before))
	status, wrong, upstream := ar.work.Status, ar.work.Wrong, upstreamResponse{}
	if ar.work.Calls != "" {
		upstream = s.call(ar)
		s.sleep(ar, s.cfg.Clock.Now().Add(ar.work.After))
		status, wrong = ar.work.Call.Ended(upstream.status, status), wrong || upstream.wrong
	}
	s.count(ar, status)
	killed := s.pod.finish(ar)
	resp.setFaults(ar.faults, upstream.faults)
	resp.upstreamWorkloads = upstream.workloads
	if upstream.byMesh {
		resp.w.Header()[traceheader.MeshHeader] = []string{"1"}
	}
	resp.writeWork(ar, status, wrong, upstream.served)
	if killed {
		resp.flush()
		s.closeAfterKill(connectionOf(ar.request))
	}
}

// sleep waits until a time, or abandons the request.
func (s *Server) sleep(ar *activeRequest, until time.Time) {
	if err := s.cfg.Clock.SleepUntil(ar.ctx, until); err != nil {
		s.abandon(ar, err)
	}
}

// abandon ends a request without a response, because its client left or the service was killed.
func (s *Server) abandon(ar *activeRequest, err error) {
	if !errors.Is(err, errLost) {
		s.count(ar, statusClientClosed)
	}
	panic(http.ErrAbortHandler)
}

// count adds a response to the metrics.
func (s *Server) count(ar *activeRequest, status int) {
	s.metrics.observe(s.routes.names[ar.req.Route], s.identifier.names[ar.req.Cohort], status,
		s.cfg.Clock.Now().Sub(ar.arrived))
}

// readBody reads and discards the body of a request. On failure it writes an error and returns
// false.
func (resp *response) readBody(r *http.Request) bool {
	if r.ContentLength == 0 {
		return true
	}
	control := http.NewResponseController(resp.w)
	resp.extendDeadline()
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // not supported by all connections
	_, err := io.Copy(io.Discard, http.MaxBytesReader(resp.w, r.Body, maxBody))
	_ = control.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return true
	case errors.As(err, &large):
		resp.writeError(http.StatusRequestEntityTooLarge, "the body is over 1 MiB")
	default:
		resp.writeError(http.StatusBadRequest, "the body could not be read")
	}
	return false
}
