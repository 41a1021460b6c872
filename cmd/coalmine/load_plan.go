package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"coalmine/loadgen"
)

// plannedRequest is an arrival as --plan-only prints it.
type plannedRequest struct {
	// At is the time since the begin of traffic in seconds, to the nanosecond.
	At  json.Number `json:"at"`
	Seq uint64      `json:"seq"`
	// User numbers users over all cohorts; Session counts from 1 and is missing for requests on their own.
	User    uint32 `json:"user"`
	Session uint32 `json:"session,omitempty"`
	Cohort  string `json:"cohort"`
	Route   string `json:"route"`
	// Service is the one asked; it is missing for the first.
	Service string `json:"service,omitempty"`
	Method  string `json:"method"`
	Target  string `json:"target"`
	// Header holds what the user sends, cookies included.
	Header http.Header `json:"header,omitempty"`
}

// planCheckEvery is the number of lines between looks at the context.
const planCheckEvery = 1 << 10

// writePlan prints the arrivals of the job's shard as JSON lines.
func (j *loadJob) writePlan(ctx context.Context, to io.Writer) error {
	w := bufio.NewWriterSize(to, 64<<10)
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	c := j.plan.Share(j.shard)
	for n := 0; ; n++ {
		a, ok := c.Next()
		if !ok {
			break
		}
		if n%planCheckEvery == 0 && ctx.Err() != nil {
			return fmt.Errorf("%w after %d requests of the plan", context.Cause(ctx), n)
		}
		if err := lines.Encode(j.planned(a)); err != nil {
			return fmt.Errorf("write the plan: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

func (j *loadJob) planned(a loadgen.Arrival) plannedRequest {
	route := j.plan.Routes()[a.Route]
	p := plannedRequest{
		At:  json.Number(strconv.FormatFloat(a.At.Seconds(), 'f', 9, 64)),
		Seq: a.Seq, User: a.User, Session: a.Session,
		Cohort: j.plan.Cohorts()[a.Cohort].Name, Route: route.Name, Service: route.Service,
		Method: j.plan.Method(a), Target: j.plan.Target(a),
	}
	if headers := j.plan.Headers(a.Cohort, a.User); len(headers) > 0 {
		p.Header = make(http.Header, len(headers))
		for _, h := range headers {
			p.Header.Add(h.Name, h.Value)
		}
	}
	return p
}
