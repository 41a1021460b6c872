package attack

import (
	"fmt"
	"net/http"
	"strconv"

	"coalmine/loadgen"
	"coalmine/loadgen/pacer"
	"coalmine/loadgen/traceheader"
)

// Headers used by vegeta and net/http.
const (
	vegetaSeqHeader = "X-Vegeta-Seq"
	cookieHeader    = "Cookie"
)

// roundTripper is an http.RoundTripper that adds the user's headers and cookies to vegeta's
// requests, passes them to net/http, and reads the response headers. A request completes when its
// response has been read to the end, or when it fails.
type roundTripper struct {
	next      http.RoundTripper
	plan      *loadgen.Plan
	inflights *inflightSet
	jar       *jar
	// clock is nil if no cohort has a bandwidth.
	clock *pacer.Clock
	// keepSeq is set if raw results need vegeta's sequence numbers.
	keepSeq       bool
	service       string
	versionHeader string
	byMesh        func(http.Header) bool
	redirects     redirects
}

// RoundTrip changes the request's headers, which a RoundTripper should not do. Here they belong to
// this call alone, because vegeta copies them.
func (c *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	f, err := c.lookup(req)
	if err != nil {
		return nil, err
	}
	c.prepare(req, f)
	ctx := c.inflights.markSent(f)
	resp, err := c.send(f, req.WithContext(ctx))
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

// send sends a request and follows redirects. The cookies of every response are kept.
func (c *roundTripper) send(f *inflight, req *http.Request) (*http.Response, error) {
	for followed := 0; ; followed++ {
		resp, err := c.next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		next := c.redirects.next(req, resp, followed)
		if next == nil {
			return resp, nil
		}
		if !c.plan.Cohorts()[f.arrival.Cohort].IgnoreSetCookie {
			c.jar.store(f.arrival.User, req, resp)
		}
		discard(resp)
		for _, p := range c.plan.Headers(f.arrival.Cohort, f.arrival.User) {
			if http.CanonicalHeaderKey(p.Name) == cookieHeader {
				next.Header[cookieHeader] = []string{p.Value}
			}
		}
		c.jar.apply(f.arrival.User, next)
		req = next
	}
}

// lookup returns the request that [requests.fill] put into a slot.
func (c *roundTripper) lookup(req *http.Request) (*inflight, error) {
	slot, err := strconv.Atoi(req.URL.Fragment)
	if err != nil {
		return nil, fmt.Errorf("attack: request without a slot: %w", err)
	}
	f := c.inflights.get(slot)
	if f == nil {
		return nil, fmt.Errorf("attack: request for empty slot %d", slot)
	}
	req.URL.Fragment = ""
	return f, nil
}

// prepare adds the headers that are specific to this request.
func (c *roundTripper) prepare(req *http.Request, r *inflight) {
	a := r.arrival
	if c.keepSeq {
		r.vegetaSeq, _ = strconv.ParseUint(req.Header.Get(vegetaSeqHeader), 10, 64)
	}
	delete(req.Header, vegetaSeqHeader)
	req.Header[traceheader.RequestHeader] = []string{traceheader.Request{
		Seq: a.Seq, Attempt: r.attempt, User: a.User, Cohort: c.plan.Cohorts()[a.Cohort].Name, Seed: c.plan.Seed(),
	}.String()}
	c.jar.apply(a.User, req)
}

// readHeaders records status, version and fault headers of a response.
func (c *roundTripper) readHeaders(r *inflight, req *http.Request, resp *http.Response) {
	cohort := &c.plan.Cohorts()[r.arrival.Cohort]
	if !cohort.IgnoreSetCookie {
		c.jar.store(r.arrival.User, req, resp)
	}
	r.status, r.reason = uint16(resp.StatusCode), resp.Status
	r.version = traceheader.Version(resp.Header, c.service)
	if r.version == "" && c.versionHeader != "" {
		r.version = resp.Header.Get(c.versionHeader)
	}
	r.workload = traceheader.Workload(resp.Header, c.service)
	r.hit, r.wrong = traceheader.Truth(resp.Header)
	r.byMesh = c.byMesh(resp.Header)
	if c.keepSeq {
		r.header = resp.Header
	}
	r.body.rate = cohort.Bandwidth
}

// fail completes a request that has no response or only part of one.
func (c *roundTripper) fail(r *inflight, err error) {
	r.status, r.failure, r.detail, r.header = 0, failure(err), detail(err), nil
	c.inflights.complete(r, err)
}
