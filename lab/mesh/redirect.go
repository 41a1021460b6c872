package mesh

import (
	"cmp"
	"strconv"
	"strings"
)

// Redirect is the filter RequestRedirect (linkerd2-proxy,
// linkerd/http/route/src/http/filter/redirect.rs). Empty fields keep what the request has.
type Redirect struct {
	Scheme, Host string
	Port         int
	// FullPath replaces the path, PrefixPath the prefix that the rule matched; nil means neither.
	FullPath, PrefixPath *string
	// Status is that of the answer; 0 means 301.
	Status int
}

// Answer returns the status and the location that a request to a rule is answered with, or false if
// the location is that of the request itself: such a request goes on to the backends.
func (r *Redirect) Answer(request *Request, prefix string) (status int, location string, ok bool) {
	scheme := cmp.Or(r.Scheme, "http")
	host, path := cmp.Or(r.Host, request.Host), request.Path
	switch {
	case r.FullPath != nil:
		path = *r.FullPath
	case r.PrefixPath != nil:
		rest := strings.TrimPrefix(strings.TrimPrefix(path, strings.TrimRight(prefix, "/")), "/")
		path = strings.TrimRight(*r.PrefixPath, "/") + "/" + rest
	}
	if defaultPort := map[string]int{"http": 80, "https": 443}[scheme]; r.Port != 0 && r.Port != defaultPort {
		host += ":" + strconv.Itoa(r.Port)
	}
	if request.Query != "" {
		path += "?" + request.Query
	}
	location = scheme + "://" + host + path
	if location == "http://"+request.Host+request.Path && request.Query == "" {
		return 0, "", false
	}
	return cmp.Or(r.Status, 301), location, true
}

// MatchedPrefix returns the longest path prefix of the rule that a request matches, for
// [Redirect.Answer].
func (c *CompiledRule) MatchedPrefix(r *Request) string {
	longest := ""
	for i := range c.matchers {
		m := &c.matchers[i]
		if _, ok := m.match(r); ok && m.Path.Kind == PathPrefix && len(m.Path.Value) > len(longest) {
			longest = m.Path.Value
		}
	}
	return longest
}
