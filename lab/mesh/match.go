package mesh

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// score ranks matches; the greatest wins. The order is the proxy's (linkerd2-proxy,
// linkerd/http/route/src/lib.rs and http/match.rs). It differs from the specification of the
// Gateway API in two ways: the length of the matched path counts whatever the kind of match, so
// that an exact path equals a prefix of the whole path; and headers rank before the method.
type score struct {
	hostExact            bool
	host                 int
	path, headers, query int
	method               bool
}

func (a score) beats(b score) bool {
	switch {
	case a.hostExact != b.hostExact:
		return a.hostExact
	case a.host != b.host:
		return a.host > b.host
	case a.path != b.path:
		return a.path > b.path
	case a.headers != b.headers:
		return a.headers > b.headers
	case a.query != b.query:
		return a.query > b.query
	}
	return a.method && !b.method
}

// matcher is a match with compiled regular expressions. A nil expression means exact comparison.
type matcher struct {
	Match
	path    *regexp.Regexp
	headers []*regexp.Regexp
	query   []*regexp.Regexp
}

func compileMatch(m Match) (matcher, error) {
	c := matcher{Match: m}
	var err error
	if m.Path.Kind == PathRegex {
		if c.path, err = compileRegex("path", m.Path.Value); err != nil {
			return c, err
		}
	}
	if c.headers, err = compileValues("header", m.Headers); err != nil {
		return c, err
	}
	c.query, err = compileValues("query parameter", m.Query)
	return c, err
}

func compileValues(what string, vs []ValueMatch) ([]*regexp.Regexp, error) {
	res := make([]*regexp.Regexp, len(vs))
	for i, v := range vs {
		if !v.Regex {
			continue
		}
		var err error
		if res[i], err = compileRegex(what+" "+v.Name, v.Value); err != nil {
			return nil, err
		}
	}
	return res, nil
}

func compileRegex(what, expr string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: write it in RE2 syntax, without look-around and back-references", what, err)
	}
	return re, nil
}

// matchesWhole reports whether the leftmost match of re is the whole value. As in the proxy, the
// first alternative that matches decides: "a|ab" does not match "ab" (linkerd2-proxy,
// linkerd/http/route/src/http/match/header.rs).
func matchesWhole(re *regexp.Regexp, value string) bool {
	at := re.FindStringIndex(value)
	return at != nil && at[0] == 0 && at[1] == len(value)
}

func (c *matcher) match(r *Request) (score, bool) {
	if c.Method != "" && c.Method != r.Method {
		return score{}, false
	}
	length, ok := c.matchPath(r.Path)
	if !ok || !c.matchHeaders(r.Headers) || !c.matchQuery(r.Query) {
		return score{}, false
	}
	return score{path: length, headers: len(c.Headers), query: len(c.Query), method: c.Method != ""}, true
}

// matchPath returns the length of the match. A match without a path counts as the prefix "/".
func (c *matcher) matchPath(path string) (int, bool) {
	switch c.Path.Kind {
	case PathExact:
		return len(path), path == c.Path.Value
	case PathRegex:
		return len(path), matchesWhole(c.path, path)
	case PathPrefix:
		prefix := strings.TrimRight(c.Path.Value, "/")
		if prefix == "" {
			return 1, true
		}
		rest, ok := strings.CutPrefix(strings.TrimRight(path, "/"), prefix)
		return len(prefix), ok && (rest == "" || rest[0] == '/')
	}
	return 1, true
}

func (c *matcher) matchHeaders(headers []Header) bool {
	for i, want := range c.Headers {
		found := false
		for _, h := range headers {
			if strings.EqualFold(h.Name, want.Name) && matchValue(c.headers[i], want.Value, h.Value) {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func (c *matcher) matchQuery(raw string) bool {
	if len(c.Query) == 0 {
		return true
	}
	// ParseQuery skips malformed pairs and returns the others, so its error does not matter.
	values, _ := url.ParseQuery(raw)
	for i, want := range c.Query {
		found := false
		for _, v := range values[want.Name] {
			found = found || matchValue(c.query[i], want.Value, v)
		}
		if !found {
			return false
		}
	}
	return true
}

func matchValue(re *regexp.Regexp, want, got string) bool {
	if re == nil {
		return want == got
	}
	return matchesWhole(re, got)
}

// matchHost compares hostnames and returns the length of the longest that matches. Hostnames of routes
// are in lower case, and the proxy compares the request's as it is written (linkerd2-proxy,
// linkerd/http/route/src/http/match/host.rs).
func matchHost(hostnames []string, host string) (exact bool, length int, ok bool) {
	if len(hostnames) == 0 {
		return false, 0, true
	}
	host = strings.TrimSuffix(host, ".")
	for _, h := range hostnames {
		suffix, wild := strings.CutPrefix(h, "*.")
		switch {
		case !wild && h == host:
			return true, len(h), true
		case wild && strings.HasSuffix(host, "."+suffix):
			length, ok = max(length, len(suffix)+1), true
		}
	}
	return false, length, ok
}
