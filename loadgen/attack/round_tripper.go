package attack

import (
	"fmt"
	"net/http"
	"strconv"

	"coalmine/loadgen"
	"coalmine/loadgen/pacer"
	"coalmine/loadgen/traceheader"
)

// Headers that vegeta and net/http know.
const (
	vegetaSeqHeader = "X-Vegeta-Seq"
	cookieHeader    = "Cookie"
)

// roundTripper is a http.RoundTripper that makes of vegeta's requests those of the plan's users, hands them to net/http, and reads the
// answers' headers. A flight lands when its answer was read to the end, or there is none.
type roundTripper struct {
	next      http.RoundTripper
	plan      *loadgen.Plan
	inflights *inflightSet
	jar       *jar
	// clock is nil when no cohort has a bandwidth.
	clock *pacer.Clock
	// keepSeq are read for raw results.
	keepSeq       bool
	service       string
	versionHeader string
}

// RoundTrip changes the request's headers, which a RoundTripper ought not to do: they are its own, made by vegeta for this call.
func (c *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	f, err := c.lookup(req)
	if err != nil {
		return nil, err
	}
	c.prepare(req, f)
	ctx := c.inflights.markSent(f)
	resp, err := c.next.RoundTrip(req.WithContext(ctx))
	if err == nil && resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body.Close()
		err = errSwitched
	}
	if err != nil {
		c.fail(f, err)
		return nil, err
	}
	c.readHeaders(f, req, resp)
	f.body.open(c, f, ctx, resp.Body)
	resp.Body = &f.body
	return resp, nil
}

// lookup finds a request's flight, as [requests.fill] says.
func (c *roundTripper) lookup(req *http.Request) (*inflight, error) {
	slot, err := strconv.Atoi(req.URL.Fragment)
	if err != nil {
		return nil, fmt.Errorf("attack: a request without a slot: %w", err)
	}
	f := c.inflights.get(slot)
	if f == nil {
		return nil, fmt.Errorf("attack: a request for slot %d, which is empty", slot)
	}
	req.URL.Fragment = ""
	return f, nil
}

// prepare puts the headers on that are this request's alone.
func (c *roundTripper) prepare(req *http.Request, f *inflight) {
	a := f.arrival
	if c.keepSeq {
		f.vegetaSeq, _ = strconv.ParseUint(req.Header.Get(vegetaSeqHeader), 10, 64)
	}
	delete(req.Header, vegetaSeqHeader)
	req.Header[traceheader.RequestHeader] = []string{traceheader.Request{
		Seq: a.Seq, Attempt: f.attempt, User: a.User, Cohort: c.plan.Cohorts()[a.Cohort].Name, Seed: c.plan.Seed(),
	}.String()}
	c.jar.apply(a.User, req)
}

// readHeaders takes what counts from an answer's headers.
func (c *roundTripper) readHeaders(f *inflight, req *http.Request, resp *http.Response) {
	cohort := &c.plan.Cohorts()[f.arrival.Cohort]
	if !cohort.IgnoreSetCookie {
		c.jar.store(f.arrival.User, req, resp)
	}
	f.status, f.reason = uint16(resp.StatusCode), resp.Status
	f.version = traceheader.Version(resp.Header, c.service)
	if f.version == "" && c.versionHeader != "" {
		f.version = resp.Header.Get(c.versionHeader)
	}
	f.workload = traceheader.Workload(resp.Header, c.service)
	f.hit, f.wrong = traceheader.Truth(resp.Header)
	if c.keepSeq {
		f.header = resp.Header
	}
	f.body.rate = cohort.Bandwidth
}

// fail lands a flight without an answer, or with half of one, which is no better.
func (c *roundTripper) fail(f *inflight, err error) {
	f.status, f.failure, f.header = 0, failure(err), nil
	c.inflights.complete(f, err)
}
