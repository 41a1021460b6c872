package serve

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"coalmine/lab/app"
	"coalmine/loadgen/mark"
)

// Bounds of a request's body, which is read and thrown away.
const (
	maxBody     = 1 << 20
	bodyTimeout = 30 * time.Second
)

// statusLeft is what metrics count for a client that left before its answer, as nginx does. Nobody gets it.
const statusLeft = 499

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.inside.enter() {
		panic(http.ErrAbortHandler) // the server has ended
	}
	defer s.inside.leave()
	a := &answer{w: w, server: s, head: r.Method == http.MethodHead}
	defer s.rescue(a, r)
	if s.routes.own[r.URL.Path] {
		s.operate(a, r)
		return
	}
	if r.Header.Get(mark.DrillHeader) != "" {
		s.drill(a, r)
		return
	}
	route, allowed, ok := s.routes.find(r)
	switch {
	case ok:
		s.visit(a, r, route)
	case len(allowed) > 0:
		a.w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.refuse(http.StatusMethodNotAllowed, "this path is asked for by "+strings.Join(allowed, ", "))
	default:
		a.refuse(http.StatusNotFound, "no route has this path; there are "+s.routes.list)
	}
}

// rescue answers for a handler that panicked, where that is possible still.
func (s *Server) rescue(a *answer, r *http.Request) {
	x := recover()
	if x == nil {
		return
	}
	if x == http.ErrAbortHandler || a.begun {
		panic(http.ErrAbortHandler)
	}
	s.log.Error("a request panicked", "method", r.Method, "path", r.URL.Path, "panic", x, "stack", string(debug.Stack()))
	a.refuse(http.StatusInternalServerError, "the service has a defect of its own, see its log")
}

// visit serves a request for a route.
func (s *Server) visit(a *answer, r *http.Request, route int) {
	v := &visit{request: r, came: s.cfg.Clock.Now(), depth: depthOf(r)}
	v.ctx, v.cancel = context.WithCancelCause(r.Context())
	defer v.cancel(nil)
	s.crowd.identify(v, s.cfg.Seed)
	v.job.Route = uint16(route)
	var err error
	if v.model, err = s.models.of(v.seed); err != nil {
		s.log.Error("no model", "seed", v.seed, "error", err)
		a.refuse(http.StatusInternalServerError, "the service has no model for this seed, see its log")
		return
	}
	if !a.read(r) {
		return
	}
	defer s.pod.leave(v)
	if s.admit(a, v) {
		s.work(a, v)
	}
}

// admit brings a visit into the pod. If it does not get a slot, the answer is given.
func (s *Server) admit(a *answer, v *visit) bool {
	switch s.pod.enter(v) {
	case app.Started:
		return true
	case app.Queued:
		if err := v.await(); err != nil {
			s.leftEarly(v, err)
		}
		return true
	case app.Rejected:
		s.count(v, http.StatusServiceUnavailable)
		a.faults(v.faults, "")
		a.refuse(http.StatusServiceUnavailable, "all slots are taken, and the queue is full")
	default:
		s.turnAway(a)
	}
	return false
}

// turnAway is for requests before the service is ready. One that was killed answers nobody, as a process that is not there.
func (s *Server) turnAway(a *answer) {
	if s.pod.lives() > 0 {
		panic(http.ErrAbortHandler)
	}
	left := s.pod.startsIn().Round(100 * time.Millisecond)
	a.w.Header().Set("Retry-After", retryAfter(left))
	a.refuse(http.StatusServiceUnavailable, "the service starts up, "+left.String()+" to go")
}

// work does what the model says, and answers.
func (s *Server) work(a *answer, v *visit) {
	s.sleep(v, v.since.Add(v.work.Before))
	status, wrong, behind := v.work.Status, v.work.Wrong, reply{}
	if v.work.Calls != "" {
		behind = s.call(v)
		s.sleep(v, s.cfg.Clock.Now().Add(v.work.After))
		status, wrong = passedStatus(behind.status, status), wrong || behind.wrong
	}
	s.count(v, status)
	killed := s.pod.leave(v)
	a.faults(v.faults, behind.faults)
	a.behind = behind.workloads
	a.serve(v, status, wrong, behind.served)
	if killed {
		a.flush()
		s.bury(connectionOf(v.request))
	}
}

// passedStatus is what a service answers after a call: its failure is 502, its 403 and 429 go on as they are.
func passedStatus(called, own int) int {
	switch {
	case called == http.StatusForbidden || called == http.StatusTooManyRequests:
		return called
	case called >= 400:
		return http.StatusBadGateway
	}
	return own
}

// call asks the service that the visit's work calls. No answer is 502.
func (s *Server) call(v *visit) reply {
	p, err := s.calls.call(v, v.work.Calls, s.routes.names[v.job.Route], s.crowd.mark(v))
	if v.ctx.Err() != nil {
		s.leftEarly(v, context.Cause(v.ctx))
	}
	switch was := s.unanswered.Swap(err != nil); {
	case err != nil && !was:
		s.log.Warn("calls fail", "of", v.work.Calls, "because", reason(err))
	case err == nil && was:
		s.log.Info("calls are answered again", "of", v.work.Calls)
	}
	if err != nil {
		return reply{status: http.StatusBadGateway}
	}
	return p
}

// sleep lets a visit's work take its time.
func (s *Server) sleep(v *visit, until time.Time) {
	if err := s.cfg.Clock.SleepUntil(v.ctx, until); err != nil {
		s.leftEarly(v, err)
	}
}

// leftEarly ends a request without an answer, since its client left or the service was killed.
func (s *Server) leftEarly(v *visit, err error) {
	if !errors.Is(err, errLost) {
		s.count(v, statusLeft)
	}
	panic(http.ErrAbortHandler)
}

// count adds an answer to the metrics.
func (s *Server) count(v *visit, status int) {
	s.meters.answered(s.routes.names[v.job.Route], s.crowd.names[v.job.Cohort], status, s.cfg.Clock.Now().Sub(v.came))
}

// read takes in the body of a request. If that does not work, the answer is given.
func (a *answer) read(r *http.Request) bool {
	if r.ContentLength == 0 {
		return true
	}
	control := http.NewResponseController(a.w)
	a.extend()
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // a connection that has no deadlines has no slow reader either
	_, err := io.Copy(io.Discard, http.MaxBytesReader(a.w, r.Body, maxBody))
	_ = control.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return true
	case errors.As(err, &large):
		a.refuse(http.StatusRequestEntityTooLarge, "the body is over 1 MiB")
	default:
		a.refuse(http.StatusBadRequest, "the body did not come")
	}
	return false
}
