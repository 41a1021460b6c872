package attack

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"coalmine/loadgen"
)

// requests makes vegeta's targets of arrivals.
type requests struct {
	plan *loadgen.Plan
	// bases by route index: scheme, host and path, without a slash at the end.
	bases []string
	// fixedHeaders has the headers of cohorts whose users all send the same, without and with those of a body.
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

// fill makes the target of a flight. Its fragment is the flight's slot, by which the request is known again; a client keeps
// fragments to itself (RFC 9110, section 7.1).
func (r *requests) fill(t *vegeta.Target, f *inflight) {
	a := f.arrival
	base, target := r.bases[a.Route], cleanTarget(r.plan.Target(a))
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
}

// header is only read by vegeta, which gives each request a copy.
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

// hasBody tells methods whose requests have a body.
func hasBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// bodyContent is a small document that is the same each time the plan is played.
func bodyContent(a loadgen.Arrival) []byte {
	b := strconv.AppendUint([]byte(`{"user":`), uint64(a.User), 10)
	b = strconv.AppendUint(append(b, `,"item":`...), uint64(a.Item), 10)
	return append(b, '}')
}

// cleanTarget makes a path with a query of a plan's target, so that no target leads to another host or fails to be a URL: logs hold what
// clients sent, which may be anything. What is a path and a query stays as it is.
func cleanTarget(target string) string {
	ok := strings.HasPrefix(target, "/")
	for i := 0; ok && i < len(target); i++ {
		ok = isAllowedByte(target, i)
	}
	if ok {
		return target
	}
	var b strings.Builder
	if !strings.HasPrefix(target, "/") {
		b.WriteByte('/')
	}
	for i := range len(target) {
		if c := target[i]; isAllowedByte(target, i) {
			b.WriteByte(c)
		} else {
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// isAllowedByte tells whether byte i of a target may stand in a path or query as it is (RFC 3986, sections 3.3 and 3.4).
func isAllowedByte(target string, i int) bool {
	switch c := target[i]; {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '/', 'A' <= c && c <= 'Z':
		return true
	case c == '%':
		return i+2 < len(target) && isHex(target[i+1]) && isHex(target[i+2])
	default:
		return strings.IndexByte("-._~!$&'()*+,;=:@?", c) >= 0
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
