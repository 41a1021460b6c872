package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"coalmine/lab/service"
)

// call makes the calls that the request's work needs, each with the attempts that its policy allows,
// and returns the last response with the faults of all.
func (s *Server) call(ar *activeRequest) upstreamResponse {
	var faults []string
	policy := ar.work.Call
	for call, retry := 0, 0; ; {
		p := s.callOnce(ar, uint8(call), uint8(retry))
		if p.faults != "" {
			faults = append(faults, p.faults)
		}
		switch {
		case policy == nil:
			return p
		case policy.Again(p.status, retry):
			s.sleep(ar, s.cfg.Clock.Now().Add(policy.Pause(retry)))
			retry++
		case p.status < 400 && call+1 < policy.Count:
			call, retry = call+1, 0
		default:
			p.faults = strings.Join(faults, ", ")
			if policy.Optional && p.status >= 400 {
				p.wrong, p.byMesh = false, false
			}
			return p
		}
	}
}

// callOnce makes one attempt at a call. Without a response, the status is 502, or 504 after the
// timeout.
func (s *Server) callOnce(ar *activeRequest, call, retry uint8) upstreamResponse {
	extra := ar.extra || retry > 0 && s.cfg.Released
	p, err := s.calls.call(ar, attempt{service: ar.work.Calls, call: ar.work.Call, extra: extra,
		route: s.routes.names[ar.req.Route], trace: s.identifier.traceHeader(ar, service.CallDraws(call, retry))})
	if ar.ctx.Err() != nil {
		s.abandon(ar, context.Cause(ar.ctx))
	}
	if errors.Is(err, context.DeadlineExceeded) {
		p := upstreamResponse{status: http.StatusGatewayTimeout}
		if s.cfg.Released {
			p.faults = s.template.faults[faultCallTimeout]
		}
		return p
	}
	switch failing := s.callsFailing.Swap(err != nil); {
	case err != nil && !failing:
		s.log.Warn("calls fail", "upstream", ar.work.Calls, "error", callFailure(err))
	case err == nil && failing:
		s.log.Info("calls succeed again", "upstream", ar.work.Calls)
	}
	if err != nil {
		return upstreamResponse{status: http.StatusBadGateway}
	}
	return p
}
