package serve

import (
	"context"
	"net/http"
	"strings"
	"time"

	"coalmine/lab/app"
)

// stage is how far a visit has come. It is the pod's to change.
type stage uint8

const (
	outside stage = iota
	waiting       // in the queue
	gone          // was waiting when its client left
	working       // has a slot
)

// visit is one request in the service. It implements [app.Sent].
type visit struct {
	request *http.Request
	// ctx ends when the client leaves, the server ends, or the service is killed.
	ctx    context.Context
	cancel context.CancelCauseFunc
	came   time.Time

	// job is what the model knows of the request; seed is that of its plan.
	job    app.Request
	seed   uint64
	marked bool // by its client
	depth  int  // of a chain of calls
	model  *app.Model

	// What follows is the pod's until the visit has its slot.
	tag   uint64
	life  int
	stage stage
	turn  chan struct{} // closed when a visit that was queued has its slot
	slot  app.Slot
	work  app.Work
	since time.Time // when work began
	// touched are the faults that hit the request itself, faults those too that made it wait.
	touched, faults []string
}

// decide is what the service does with the request. Who has left has no work done, and so nothing is lost by it.
func (v *visit) decide(s app.State) app.Work {
	if v.stage == gone {
		return app.Work{}
	}
	w := v.model.BeginSent(v.job, v, s)
	if w.Hit {
		v.touched = v.model.HitSent(v.job, v, s)
		v.faults = append(v.faults, v.touched...)
	}
	return w
}

// await returns when the visit has its slot, or with why it will not get one.
func (v *visit) await() error {
	select {
	case <-v.turn:
		return nil
	case <-v.ctx.Done():
		return context.Cause(v.ctx)
	}
}

// Header implements [app.Sent].
func (v *visit) Header(name string) string {
	switch http.CanonicalHeaderKey(name) {
	case "Cookie":
		return strings.Join(v.request.Header["Cookie"], "; ") // HTTP/2 may send one line for each (RFC 9113, 8.2.3)
	case "Host":
		return v.request.Host
	}
	return v.request.Header.Get(name)
}

// Cookie implements [app.Sent].
func (v *visit) Cookie(name string) string {
	for _, line := range v.request.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if have, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && have == name {
				return value
			}
		}
	}
	return ""
}
