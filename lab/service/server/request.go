package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"coalmine/lab/service"
)

// requestState is the state of a request. Only the pod changes it.
type requestState uint8

const (
	stateDone      requestState = iota
	stateQueued                 // waits for a slot
	stateAbandoned              // its client left while it was queued
	stateWorking                // has a slot
)

// activeRequest is one request to the service. It implements [service.RequestHeaders].
type activeRequest struct {
	request *http.Request
	// ctx ends when the client leaves, the server stops, or the service is killed.
	ctx     context.Context
	cancel  context.CancelCauseFunc
	arrived time.Time

	// req describes the request to the model.
	req service.Request
	// seed of the request's plan.
	seed   uint64
	traced bool // has a trace header
	extra  bool // made only because a released version retries
	depth  int  // of the chain of calls
	model  *service.Model

	// The following fields belong to the pod until the request has a slot.
	tag         uint64
	podRestarts int
	state       requestState
	started     chan struct{} // closed when a queued request has a slot
	slot        service.Slot
	work        service.Work
	since       time.Time // when work started
	// ownFaults are the faults that hit the request itself.
	ownFaults []string
	// faults also include those that made it wait.
	faults []string
}

// decide returns the work of the request, none if it was abandoned.
func (ar *activeRequest) decide(s service.State) service.Work {
	if ar.state == stateAbandoned {
		return service.Work{}
	}
	w := ar.model.BeginWithHeaders(ar.req, ar, s)
	if w.Hit {
		ar.ownFaults = ar.model.HitWithHeaders(ar.req, ar, s)
	}
	if ar.extra {
		ar.ownFaults = append(ar.ownFaults, faultExtraCall)
	}
	ar.faults = append(ar.faults, ar.ownFaults...)
	return w
}

// waitForSlot waits until the request has a slot. The error says why it will not get one.
func (ar *activeRequest) waitForSlot() error {
	select {
	case <-ar.started:
		return nil
	case <-ar.ctx.Done():
		return context.Cause(ar.ctx)
	}
}

// Header implements [service.RequestHeaders].
func (ar *activeRequest) Header(name string) string {
	switch http.CanonicalHeaderKey(name) {
	case "Cookie":
		return strings.Join(ar.request.Header["Cookie"], "; ") // HTTP/2 may split them (RFC 9113, 8.2.3)
	case "Host":
		return ar.request.Host
	}
	return ar.request.Header.Get(name)
}

// Cookie implements [service.RequestHeaders].
func (ar *activeRequest) Cookie(name string) string {
	for _, line := range ar.request.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == name {
				return value
			}
		}
	}
	return ""
}
