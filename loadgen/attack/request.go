package attack

import (
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
	// fixedHeaders are the headers of cohorts whose users all send the same: without a body, and
	// with one.
	fixedHeaders [][2]http.Header
}

func newRequests(p *loadgen.Plan, targets []*url.URL) *requests {
	r := &requests{plan: p}
	for _, u := range targets {
		r.bases = append(r.bases, strings.TrimRight(u.String(), "/"))
	}
	for i := range p.Cohorts() {
		var pair [2]http.Header
		if c := uint16(i); !p.PerUser(c) {
			pair[0], pair[1] = header(p.Headers(c, 0), false), header(p.Headers(c, 0), true)
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
	hasBody := hasBody(f.method)
	if hasBody {
		t.Body = bodyContent(a)
		f.length = int64(len(t.Body))
	}
	t.Header = r.header(a, hasBody)
	if referer := r.plan.Referer(a); referer != "" {
		t.Header = t.Header.Clone()
		t.Header.Set("Referer", referer)
	}
}

// The result is read-only: vegeta copies it for each request.
func (r *requests) header(a loadgen.Arrival, hasBody bool) http.Header {
	pair := r.fixedHeaders[a.Cohort]
	switch {
	case pair[0] == nil:
		return header(r.plan.Headers(a.Cohort, a.User), hasBody)
	case hasBody:
		return pair[1]
	}
	return pair[0]
}

func header(pairs []loadgen.Pair, hasBody bool) http.Header {
	h := make(http.Header, len(pairs)+1)
	for _, p := range pairs {
		h.Add(p.Name, p.Value)
	}
	if hasBody && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	return h
}

// hasBody reports whether requests with this method have a body.
func hasBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// bodyContent returns a small document that is the same each time the plan is played.
func bodyContent(a loadgen.Arrival) []byte {
	b := strconv.AppendUint([]byte(`{"user":`), uint64(a.User), 10)
	b = strconv.AppendUint(append(b, `,"item":`...), uint64(a.Item), 10)
	return append(b, '}')
}
