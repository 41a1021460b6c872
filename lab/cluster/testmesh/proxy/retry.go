package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"coalmine/lab/mesh"
)

// keepBody reads the body of a request that may be sent again, if it is small enough; a larger one is
// sent once.
func (j *outboundRequest) keepBody(rule *rule) {
	if j.bodyRead || rule.retry == nil || j.number > 1 {
		return
	}
	j.bodyRead = true
	if j.request.Body == nil || j.request.Body == http.NoBody {
		j.body = func() io.ReadCloser { return http.NoBody }
		return
	}
	kept, err := io.ReadAll(io.LimitReader(j.request.Body, mesh.MaxRetryBody+1))
	if err != nil || len(kept) > mesh.MaxRetryBody {
		j.request.Body = io.NopCloser(io.MultiReader(bytes.NewReader(kept), j.request.Body))
		return
	}
	j.body = func() io.ReadCloser { return io.NopCloser(bytes.NewReader(kept)) }
}

// limit sets how long an attempt may take that has an endpoint. If its time is over already, as that of
// a retry after the request's timeout, it is answered without being sent. The lock is held.
func (r *router) limit(j *outboundRequest, c choice, now time.Duration) choice {
	j.ends, j.err = c.rule.timeouts.Deadline(c.rule.retry, j.number, j.start, now)
	if j.ends == 0 || now < j.ends {
		return c
	}
	r.endAttempt(c, now, http.StatusGatewayTimeout)
	c.endpoint.out.Request(now)
	c.endpoint.out.Failed(now)
	return r.refuse(j, c, mesh.ErrorStatus(j.err), j.err, j.describe()+c.describeBackend()+j.timeoutText(c.rule))
}

// timeoutText says which timeout an attempt exceeded, as Linkerd's errors do (recorded).
func (j *outboundRequest) timeoutText(r *rule) string {
	name, limit := "request timeout", r.timeouts.Request
	switch {
	case j.err == mesh.ErrorResponseStreamTimeout:
		name, limit = "response stream timeout", r.timeouts.Response
	case j.err == mesh.ErrorResponseHeadersTimeout && r.retry != nil:
		name, limit = "response headers timeout", r.retry.Timeout
	}
	return fmt.Sprintf("timed out waiting for response headers: %s: %v", name, limit)
}

// withLimit returns a context that ends with the attempt, and a function that lifts the limit, which
// returns false if it is too late. Headers that came in time have no limit after them.
func (r *router) withLimit(j *outboundRequest) (context.Context, func() bool) {
	if j.ends == 0 {
		return j.request.Context(), func() bool { return true }
	}
	ctx, cancel := context.WithCancel(j.request.Context())
	timer := time.AfterFunc(max(j.ends-r.now(), 0), cancel)
	return ctx, timer.Stop
}

// sendTimedOut counts an attempt that was sent and not answered in time. The pod goes on with it.
func (r *router) sendTimedOut(j *outboundRequest, c choice) *http.Response {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	c.endpoint.out.Failed(now)
	r.backendStats(c.stats, c.target, c.rule, c.backend).Response(0, j.err, now-c.pickedAt)
	r.finish(j, c, 0, j.err)
	return synthetic(j.request, mesh.ErrorStatus(j.err), j.describe()+c.describeBackend()+j.timeoutText(c.rule))
}

// maxTries bounds the attempts of a request.
const maxTries = 250

// retries reports whether a request is sent again after a status or an error.
func (r *router) retries(j *outboundRequest, rule *rule, status int, err string) bool {
	return rule.retry != nil && j.body != nil && j.number <= min(rule.retry.Limit, maxTries) &&
		rule.retry.Retries(status, err)
}

// finish ends an attempt that the proxy answers: the request is sent again, or counted. The lock is held.
func (r *router) finish(j *outboundRequest, c choice, status int, err string) {
	j.choice = c
	if j.retried = r.retries(j, c.rule, status, err); !j.retried {
		r.countRoute(j, c, status, err)
	}
}

// countRetried counts the response to an attempt after which the request is sent again.
func (r *router) countRetried(j *outboundRequest, c choice, status int, answered time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j.choice = c
	c.endpoint.out.Response(r.now(), status, answered-c.pickedAt)
	r.backendStats(c.stats, c.target, c.rule, c.backend).Response(status, mesh.ErrorUnknown, answered-c.pickedAt)
}

// countRoute counts the end of a request. The lock is held.
func (r *router) countRoute(j *outboundRequest, c choice, status int, err string) {
	stats := r.route(c.stats, c.target, c.rule)
	if retry := c.rule.retry; retry != nil {
		switch {
		case retry.Retries(status, err):
			stats.RetryLimit()
		case j.number > 1 && err == "":
			stats.RetrySuccess()
		}
	}
	stats.Response(status, err, r.now()-j.start)
}

// backOffRetry waits before the next attempt of a request. An error means that the client is gone.
func (r *router) backOffRetry(j *outboundRequest) error {
	r.mu.Lock()
	r.route(j.choice.stats, j.choice.target, j.choice.rule).Retry()
	pause := j.choice.rule.retry.Backoff(j.number, r.retryRNG.Bits(r.draws.Add(1)))
	r.mu.Unlock()
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-j.request.Context().Done():
		return j.request.Context().Err()
	}
}
