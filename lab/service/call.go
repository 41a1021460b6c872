package service

import (
	"fmt"
	"net/http"
	"time"
)

// Call says how a service calls another one: how often, and what its HTTP client does about slow and
// failed answers. A client in the process knows nothing of the retries and timeouts of the mesh, which
// come on top.
type Call struct {
	// Share of the requests that need the call, 0 to 1; 0 means 1.
	Share float64 `yaml:"share,omitempty" json:"share,omitempty"`
	// Count is how many calls such a request needs, one after the other; 0 means 1. The first that
	// fails ends them.
	Count int `yaml:"count,omitempty" json:"count,omitempty"`
	// Timeout ends an attempt at a call; 0 is none. The other service goes on working on it.
	Timeout time.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
	// Retries is how often an attempt is repeated that took longer than the timeout or was answered
	// 5xx.
	Retries int `yaml:"retries,omitempty" json:"retries,omitempty"`
	// Backoff is the pause before the first retry. It doubles before each further one.
	Backoff time.Duration `yaml:"backoff,omitempty" json:"backoff,omitempty"`
	// Optional calls may fail without failing the request: it is answered without what they would
	// have added.
	Optional bool `yaml:"optional,omitempty" json:"optional,omitempty"`
	// DropHeaders names headers of the request that are not sent on with the call; all others are.
	// cookie drops all cookies.
	DropHeaders []string `yaml:"dropHeaders,omitempty" json:"dropHeaders,omitempty"`
}

// Limits of [Call]. All attempts of a request are numbered within a byte.
const (
	maxCount   = 10
	maxRetries = 10
)

// isZero reports whether a call is made once, without a timeout.
func (c *Call) isZero() bool {
	return c.Share == 0 && c.Count <= 1 && c.Timeout == 0 && c.Retries == 0 && !c.Optional && len(c.DropHeaders) == 0
}

// Again reports whether the client repeats an attempt that ended with a status, given how often it
// has been repeated. An attempt that timed out has status 504.
func (c *Call) Again(status, repeated int) bool { return status >= 500 && repeated < c.Retries }

// Pause returns the pause before a retry, numbered from 0.
func (c *Call) Pause(retry int) time.Duration { return c.Backoff << retry }

// CallDraws tells the attempts of a process at its calls apart: it is added to a request's Attempt, so
// that each draws its own random numbers. Those of up to 10 calls with up to 10 retries each differ.
func CallDraws(call, retry uint8) uint8 { return 101 * (retry + (maxRetries+1)*call) }

// Ended returns the status of the service's own answer, which is own if its calls succeed, given that
// of the last call. Denials and limits are passed on, other failures are 502. c may be nil.
func (c *Call) Ended(called, own int) int {
	switch {
	case called < 400 || c != nil && c.Optional:
		return own
	case called == http.StatusForbidden || called == http.StatusTooManyRequests:
		return called
	}
	return http.StatusBadGateway
}

func (r RouteBehaviour) checkCall(f *findings, path string) {
	c, at := r.Call, path+".call"
	if r.Calls == "" && (!c.isZero() || c.Backoff != 0) {
		f.add(at, "has no effect: calls names no service")
	}
	f.within(at+".share", c.Share, 1)
	if c.Count < 0 || c.Count > maxCount {
		f.add(at+".count", "%d is not between 0 and %d", c.Count, maxCount)
	}
	f.time(at+".timeout", c.Timeout)
	if c.Retries < 0 || c.Retries > maxRetries {
		f.add(at+".retries", "%d is not between 0 and %d", c.Retries, maxRetries)
	}
	if c.Backoff < 0 || c.Backoff > maxBackoff {
		f.add(at+".backoff", "%v is not between 0s and %v", c.Backoff, maxBackoff)
	}
	if c.Backoff > 0 && c.Retries == 0 {
		f.add(at+".backoff", "%v has no effect without retries; set retries", c.Backoff)
	}
	for i, name := range c.DropHeaders {
		if name == "" {
			f.add(fmt.Sprintf("%s.dropHeaders[%d]", at, i), "is empty; write the name of a header")
		}
	}
}

// maxBackoff limits the pause before the first retry.
const maxBackoff = time.Minute
