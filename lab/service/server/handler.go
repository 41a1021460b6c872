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

// Bounds of a request's body, which is read and thrown away.
const (
	maxBody     = 1 << 20
	bodyTimeout = 30 * time.Second
)

// statusClientClosed is what metrics count for a client that left before its answer, as nginx does. Nobody gets it.
const statusClientClosed = 499

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.inFlight.enter() {
		panic(http.ErrAbortHandler) // the server has ended
	}
	defer s.inFlight.leave()
	a := &response{w: w, server: s, head: r.Method == http.MethodHead}
	defer s.recoverPanic(a, r)
	if s.routes.opsPaths[r.URL.Path] {
		s.serveOps(a, r)
		return
	}
	if r.Header.Get(traceheader.DrillHeader) != "" {
		s.serveDrill(a, r)
		return
	}
	route, allowed, ok := s.routes.find(r)
	switch {
	case ok:
		s.serveRoute(a, r, route)
	case len(allowed) > 0:
		a.w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.writeError(http.StatusMethodNotAllowed, "this path is asked for by "+strings.Join(allowed, ", "))
	default:
		a.writeError(http.StatusNotFound, "no route has this path; there are "+s.routes.listing)
	}
}

// recoverPanic answers for a handler that panicked, where that is possible still.
func (s *Server) recoverPanic(a *response, r *http.Request) {
	x := recover()
	if x == nil {
		return
	}
	if x == http.ErrAbortHandler || a.started {
		panic(http.ErrAbortHandler)
	}
	s.log.Error("a request panicked", "method", r.Method, "path", r.URL.Path, "panic", x, "stack", string(debug.Stack()))
	a.writeError(http.StatusInternalServerError, "the service has a defect of its own, see its log")
}

// serveRoute serves a request for a route.
func (s *Server) serveRoute(a *response, r *http.Request, route int) {
	v := &activeRequest{request: r, arrived: s.cfg.Clock.Now(), depth: callDepth(r)}
	v.ctx, v.cancel = context.WithCancelCause(r.Context())
	defer v.cancel(nil)
	s.identifier.identify(v, s.cfg.Seed)
	v.req.Route = uint16(route)
	var err error
	if v.model, err = s.models.get(v.seed); err != nil {
		s.log.Error("no model", "seed", v.seed, "error", err)
		a.writeError(http.StatusInternalServerError, "the service has no model for this seed, see its log")
		return
	}
	if !a.readBody(r) {
		return
	}
	defer s.pod.finish(v)
	if s.admit(a, v) {
		s.work(a, v)
	}
}

// admit brings a visit into the pod. If it does not get a slot, the answer is given.
func (s *Server) admit(a *response, v *activeRequest) bool {
	switch s.pod.offer(v) {
	case service.Started:
		return true
	case service.Queued:
		if err := v.waitForSlot(); err != nil {
			s.abandon(v, err)
		}
		return true
	case service.Rejected:
		s.count(v, http.StatusServiceUnavailable)
		a.setFaults(v.faults, "")
		a.writeError(http.StatusServiceUnavailable, "all slots are taken, and the queue is full")
	default:
		s.refuseNotReady(a)
	}
	return false
}

// refuseNotReady is for requests before the service is ready. One that was killed answers nobody, as a process that is not there.
func (s *Server) refuseNotReady(a *response) {
	if s.pod.restartCount() > 0 {
		panic(http.ErrAbortHandler)
	}
	left := s.pod.readyIn().Round(100 * time.Millisecond)
	a.w.Header().Set("Retry-After", retryAfter(left))
	a.writeError(http.StatusServiceUnavailable, "the service starts up, "+left.String()+" to go")
}

// work does what the model says, and answers.
func (s *Server) work(a *response, v *activeRequest) {
	s.sleep(v, v.since.Add(v.work.Before))
	status, wrong, behind := v.work.Status, v.work.Wrong, upstreamResponse{}
	if v.work.Calls != "" {
		behind = s.call(v)
		s.sleep(v, s.cfg.Clock.Now().Add(v.work.After))
		status, wrong = statusAfterCall(behind.status, status), wrong || behind.wrong
	}
	s.count(v, status)
	killed := s.pod.finish(v)
	a.setFaults(v.faults, behind.faults)
	a.upstreamWorkloads = behind.workloads
	a.writeWork(v, status, wrong, behind.served)
	if killed {
		a.flush()
		s.closeAfterKill(connectionOf(v.request))
	}
}

// statusAfterCall is what a service answers after a call: its failure is 502, its 403 and 429 go on as they are.
func statusAfterCall(called, own int) int {
	switch {
	case called == http.StatusForbidden || called == http.StatusTooManyRequests:
		return called
	case called >= 400:
		return http.StatusBadGateway
	}
	return own
}

// call asks the service that the visit's work calls. No answer is 502.
func (s *Server) call(v *activeRequest) upstreamResponse {
	p, err := s.calls.call(v, v.work.Calls, s.routes.names[v.req.Route], s.identifier.traceHeader(v))
	if v.ctx.Err() != nil {
		s.abandon(v, context.Cause(v.ctx))
	}
	switch was := s.callsFailing.Swap(err != nil); {
	case err != nil && !was:
		s.log.Warn("calls fail", "of", v.work.Calls, "because", callFailure(err))
	case err == nil && was:
		s.log.Info("calls are answered again", "of", v.work.Calls)
	}
	if err != nil {
		return upstreamResponse{status: http.StatusBadGateway}
	}
	return p
}

// sleep lets a visit's work take its time.
func (s *Server) sleep(v *activeRequest, until time.Time) {
	if err := s.cfg.Clock.SleepUntil(v.ctx, until); err != nil {
		s.abandon(v, err)
	}
}

// abandon ends a request without an answer, since its client left or the service was killed.
func (s *Server) abandon(v *activeRequest, err error) {
	if !errors.Is(err, errLost) {
		s.count(v, statusClientClosed)
	}
	panic(http.ErrAbortHandler)
}

// count adds an answer to the metrics.
func (s *Server) count(v *activeRequest, status int) {
	s.metrics.observe(s.routes.names[v.req.Route], s.identifier.names[v.req.Cohort], status, s.cfg.Clock.Now().Sub(v.arrived))
}

// readBody takes in the body of a request. If that does not work, the answer is given.
func (a *response) readBody(r *http.Request) bool {
	if r.ContentLength == 0 {
		return true
	}
	control := http.NewResponseController(a.w)
	a.extendDeadline()
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // a connection that has no deadlines has no slow reader either
	_, err := io.Copy(io.Discard, http.MaxBytesReader(a.w, r.Body, maxBody))
	_ = control.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return true
	case errors.As(err, &large):
		a.writeError(http.StatusRequestEntityTooLarge, "the body is over 1 MiB")
	default:
		a.writeError(http.StatusBadRequest, "the body did not come")
	}
	return false
}
