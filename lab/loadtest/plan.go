package loadtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"coalmine/loadgen"
)

// plannedRequest is an arrival as [Test.WritePlan] writes it.
type plannedRequest struct {
	// At is the time since the start of traffic in seconds, to the nanosecond.
	At  json.Number `json:"at"`
	Seq uint64      `json:"seq"`
	// User is unique over all cohorts; Session counts from 1 and is omitted for single requests.
	User    uint32 `json:"user"`
	Session uint32 `json:"session,omitempty"`
	Cohort  string `json:"cohort"`
	Route   string `json:"route"`
	// Service is omitted for the default service.
	Service string `json:"service,omitempty"`
	Method  string `json:"method"`
	Target  string `json:"target"`
	// Header is what the user sends, including cookies.
	Header http.Header `json:"header,omitempty"`
	// Body is that of the route; it is omitted if the route has none.
	Body string `json:"body,omitempty"`
}

// planCheckEvery is the number of lines between checks of the context.
const planCheckEvery = 1 << 10

// WritePlan writes the arrivals of the shard as JSON lines.
func (t *Test) WritePlan(ctx context.Context, to io.Writer) error {
	w := bufio.NewWriterSize(to, 64<<10)
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	c := t.plan.Share(t.shard)
	for n := 0; ; n++ {
		a, ok := c.Next()
		if !ok {
			break
		}
		if n%planCheckEvery == 0 && ctx.Err() != nil {
			return fmt.Errorf("%w after %d requests of the plan", context.Cause(ctx), n)
		}
		if err := lines.Encode(t.plannedRequest(a)); err != nil {
			return fmt.Errorf("write plan: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

func (t *Test) plannedRequest(a loadgen.Arrival) plannedRequest {
	route := t.plan.Routes()[a.Route]
	p := plannedRequest{
		At:  json.Number(strconv.FormatFloat(a.At.Seconds(), 'f', 9, 64)),
		Seq: a.Seq, User: a.User, Session: a.Session,
		Cohort: t.plan.Cohorts()[a.Cohort].Name, Route: route.Name, Service: route.Service,
		Method: t.plan.Method(a), Target: loadgen.EscapeTarget(t.plan.Target(a)),
		Body: t.plan.Body(a),
	}
	headers := t.plan.RequestHeaders(a)
	if referer := t.plan.Referer(a); referer != "" {
		headers = append(slices.Clip(headers), loadgen.Pair{Name: "Referer", Value: referer})
	}
	if len(headers) > 0 {
		p.Header = make(http.Header, len(headers))
		for _, h := range headers {
			p.Header.Add(h.Name, h.Value)
		}
	}
	return p
}
