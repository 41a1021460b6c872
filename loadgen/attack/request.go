package attack

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"coalmine/loadgen"
)

// requests converts arrivals to vegeta targets.
type requests struct {
	plan *loadgen.Plan
	// bases are indexed by route: scheme, host and path, without a trailing slash.
	bases []string
	// bodies are indexed by route.
	bodies []routeBody
	// fixedHeaders are the headers of cohorts whose users all send the same: without a body, and
	// with JSON.
	fixedHeaders [][2]http.Header
}

// routeBody is what the bodies of a route's requests have in common.
type routeBody struct {
	// content is nil if the requests have no body, or different ones.
	content     []byte
	contentType string
	varied      bool
}

func newRequests(p *loadgen.Plan, targets []*url.URL) *requests {
	r := &requests{plan: p}
	for i, u := range targets {
		r.bases = append(r.bases, strings.TrimRight(u.String(), "/"))
		sample := []byte(p.Body(loadgen.Arrival{Route: uint16(i)}))
		b := routeBody{contentType: contentType(sample), varied: p.Routes()[i].VariesBody()}
		if !b.varied {
			b.content = sample
		}
		r.bodies = append(r.bodies, b)
	}
	for i := range p.Cohorts() {
		var pair [2]http.Header
		if c := uint16(i); !p.PerUser(c) {
			pair[0], pair[1] = header(p.Headers(c, 0), ""), header(p.Headers(c, 0), jsonType)
		}
		r.fixedHeaders = append(r.fixedHeaders, pair)
	}
	return r
}

// fill sets the target of a request. The fragment of its URL is the slot, by which the round
// tripper finds the request; clients do not send fragments (RFC 9110, section 7.1).
func (r *requests) fill(t *vegeta.Target, f *inflight) {
	a := f.arrival
	base, target := r.bases[a.Route], loadgen.EscapeTarget(r.plan.Target(a))
	b := make([]byte, 0, len(base)+len(target)+6)
	b = append(append(append(b, base...), target...), '#')
	t.URL = string(strconv.AppendInt(b, int64(f.slot), 10))
	f.url = t.URL[:len(base)+len(target)]
	f.method = r.plan.Method(a)
	t.Method = f.method
	var contentType string
	t.Body, contentType = r.body(a, f.method)
	f.length = int64(len(t.Body))
	t.Header = r.header(a, contentType)
	if referer := r.plan.Referer(a); referer != "" {
		t.Header = t.Header.Clone()
		t.Header.Set("Referer", referer)
	}
}

// body returns the body of a request and its content type, or nil and "" for none.
func (r *requests) body(a loadgen.Arrival, method string) (content []byte, contentType string) {
	b := &r.bodies[a.Route]
	switch {
	case b.varied:
		return []byte(r.plan.Body(a)), b.contentType
	case len(b.content) > 0:
		return b.content, b.contentType
	case hasBody(method):
		return bodyContent(a), jsonType
	}
	return nil, ""
}

// The result is read-only: vegeta copies it for each request.
func (r *requests) header(a loadgen.Arrival, contentType string) http.Header {
	pair := r.fixedHeaders[a.Cohort]
	switch {
	case pair[0] == nil || len(r.plan.Routes()[a.Route].Headers) > 0:
	case contentType == "":
		return pair[0]
	case contentType == jsonType:
		return pair[1]
	}
	return header(r.plan.RequestHeaders(a), contentType)
}

// header returns the headers, with a content type unless they have one or it is "".
func header(pairs []loadgen.Pair, contentType string) http.Header {
	h := make(http.Header, len(pairs)+1)
	for _, p := range pairs {
		h.Add(p.Name, p.Value)
	}
	if contentType != "" && h.Get("Content-Type") == "" {
		h.Set("Content-Type", contentType)
	}
	return h
}

// Content types of bodies.
const (
	jsonType = "application/json"
	textType = "text/plain; charset=utf-8"
)

// contentType returns the type of a body, or "" without one.
func contentType(body []byte) string {
	switch {
	case len(body) == 0:
		return ""
	case json.Valid(body):
		return jsonType
	}
	return textType
}

// hasBody reports whether requests with this method have a body even if their route has none.
func hasBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// bodyContent returns a small document that is the same each time the plan is played.
func bodyContent(a loadgen.Arrival) []byte {
	b := strconv.AppendUint([]byte(`{"user":`), uint64(a.User), 10)
	b = strconv.AppendUint(append(b, `,"item":`...), uint64(a.Item), 10)
	return append(b, '}')
}
