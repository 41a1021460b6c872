package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"coalmine/lab/service"
)

// requestState is how far a visit has come. It is the pod's to change.
type requestState uint8

const (
	stateDone      requestState = iota
	stateQueued                 // in the queue
	stateAbandoned              // was waiting when its client left
	stateWorking                // has a slot
)

// activeRequest is one request in the service. It implements [app.Sent].
type activeRequest struct {
	request *http.Request
	// ctx ends when the client leaves, the server ends, or the service is killed.
	ctx     context.Context
	cancel  context.CancelCauseFunc
	arrived time.Time

	// req is what the model knows of the request; seed is that of its plan.
	req    service.Request
	seed   uint64
	traced bool // by its client
	depth  int  // of a chain of calls
	model  *service.Model

	// What follows is the pod's until the visit has its slot.
	tag         uint64
	podRestarts int
	state       requestState
	started     chan struct{} // closed when a visit that was queued has its slot
	slot        service.Slot
	work        service.Work
	since       time.Time // when work began
	// ownFaults are the faults that hit the request itself, faults those too that made it wait.
	ownFaults, faults []string
}

// decide is what the service does with the request. Who has left has no work done, and so nothing is lost by it.
func (v *activeRequest) decide(s service.State) service.Work {
	if v.state == stateAbandoned {
		return service.Work{}
	}
	w := v.model.BeginWithHeaders(v.req, v, s)
	if w.Hit {
		v.ownFaults = v.model.HitWithHeaders(v.req, v, s)
		v.faults = append(v.faults, v.ownFaults...)
	}
	return w
}

// waitForSlot returns when the visit has its slot, or with why it will not get one.
func (v *activeRequest) waitForSlot() error {
	select {
	case <-v.started:
		return nil
	case <-v.ctx.Done():
		return context.Cause(v.ctx)
	}
}

// Header implements [app.Sent].
func (v *activeRequest) Header(name string) string {
	switch http.CanonicalHeaderKey(name) {
	case "Cookie":
		return strings.Join(v.request.Header["Cookie"], "; ") // HTTP/2 may send one line for each (RFC 9113, 8.2.3)
	case "Host":
		return v.request.Host
	}
	return v.request.Header.Get(name)
}

// Cookie implements [app.Sent].
func (v *activeRequest) Cookie(name string) string {
	for _, line := range v.request.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if have, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && have == name {
				return value
			}
		}
	}
	return ""
}
