package mesh

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
)

// Redirect is the filter RequestRedirect (linkerd2-proxy,
// linkerd/http/route/src/http/filter/redirect.rs). Empty fields keep what the request has.
type Redirect struct {
	Scheme, Host string
	Port         int
	// FullPath replaces path and query, PrefixPath the prefix that the rule matched; nil means
	// neither.
	FullPath, PrefixPath *string
	// Status is that of the answer; 0 means 302, the default of the Gateway API.
	Status int
}

// NoPrefix is the length of the matched prefix if the rule matched by something else.
const NoPrefix = -1

// Answer returns the status and the location that a request to a rule is answered with, or false if
// the location is that of the request itself: such a request goes on to the backends. A prefix can
// be replaced only if the rule matched one; otherwise the answer is 500, without a location.
func (r *Redirect) Answer(request *Request, prefix int) (status int, location string, ok bool) {
	scheme := cmp.Or(r.Scheme, "http")
	path, query := request.Path, ""
	if request.Query != "" {
		query = "?" + request.Query
	}
	switch {
	case r.FullPath != nil:
		path, query = *r.FullPath, ""
	case r.PrefixPath != nil && prefix == NoPrefix:
		return http.StatusInternalServerError, "", true
	case r.PrefixPath != nil:
		rest := path[min(prefix, len(path)):]
		if rest != "" && rest[0] != '/' {
			rest = "/" + rest
		}
		path = *r.PrefixPath + rest
	}
	location = scheme + "://" + r.authority(request, scheme) + path + query
	if location == "http://"+withPort(request.Host, request.Port)+request.target() {
		return 0, "", false
	}
	return cmp.Or(r.Status, http.StatusFound), location, true
}

// authority returns host and port of the location. A port that is the scheme's default is left out
// unless the filter names it together with a host.
func (r *Redirect) authority(request *Request, scheme string) string {
	defaultPort := map[string]int{"http": 80, "https": 443}[scheme]
	unlessDefault := func(port int) int {
		if port == defaultPort {
			return 0
		}
		return port
	}
	switch {
	case r.Host != "" && r.Port != 0:
		return withPort(r.Host, r.Port)
	case r.Host != "":
		return withPort(r.Host, unlessDefault(request.Port))
	case r.Port != 0:
		return withPort(request.Host, unlessDefault(r.Port))
	}
	return withPort(request.Host, request.Port)
}

// withPort returns an authority; port 0 is none.
func withPort(host string, port int) string {
	if port == 0 {
		return host
	}
	return host + ":" + strconv.Itoa(port)
}

// target returns the path and the query of the request.
func (r *Request) target() string {
	if r.Query == "" {
		return r.Path
	}
	return r.Path + "?" + r.Query
}

// MatchedPrefix returns the length of the path prefix by which a request matches the rule, or
// [NoPrefix], for [Redirect.Answer]. Of alternatives that match equally well the last counts.
func (c *CompiledRule) MatchedPrefix(r *Request) int {
	length := NoPrefix
	if len(c.matchers) == 0 {
		length = 1
	}
	var best score
	for i := range c.matchers {
		m := &c.matchers[i]
		s, ok := m.match(r)
		if !ok || best.beats(s) {
			continue
		}
		best, length = s, NoPrefix
		if m.Path.Kind == PathPrefix || m.Path.Kind == PathAny {
			length = len(strings.TrimRight(m.Path.Value, "/"))
			length = max(length, 1)
		}
	}
	return length
}
