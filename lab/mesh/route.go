package mesh

import "time"

// Route is the part of an HTTPRoute attached to Services that proxies look at.
type Route struct {
	Name      string
	Namespace string
	// Group is the API group of an HTTPRoute of Linkerd's own; "" is the Gateway API.
	Group string
	// Created orders routes that match equally well: the oldest wins, then the first by name.
	Created time.Time
	Parents []Parent
	// Hostnames restrict the route; none means every host. A leading "*." matches any labels.
	Hostnames []string
	Rules     []Rule
	// Dropped says why Linkerd leaves the route out, in silence; "" means that it follows it.
	Dropped string
}

// Parent is a Service whose clients follow the route.
type Parent struct {
	Service   string
	Namespace string
	// Port restricts the route to one port of the Service; 0 means every port.
	Port int
}

// Rule sends matching requests to backends.
type Rule struct {
	// Matches are alternatives. An empty list matches everything.
	Matches []Match
	// Backends share the rule's requests by weight. An empty list means the parent's own endpoints.
	Backends []Backend
	// Timeouts and Retry are those of the rule or its route; see [Rule.Limits].
	Timeouts Timeouts
	Retry    *Retry
	// Redirect answers every request; nil means none.
	Redirect *Redirect
	// RequestHeaders and ResponseHeaders are the rule's filters.
	RequestHeaders  HeaderFilter
	ResponseHeaders HeaderFilter
}

// Backend is a Service that receives a share of a rule's requests.
type Backend struct {
	Service   string
	Namespace string
	Port      int
	// Weight is relative to the sum of the rule's weights. A backend of weight 0 receives nothing,
	// unless it is the only one.
	Weight int
	// RequestHeaders and ResponseHeaders are the backend's own filters. Flagger implements session
	// affinity by a Set-Cookie header here.
	RequestHeaders  HeaderFilter
	ResponseHeaders HeaderFilter
	// Redirect answers the requests that the backend is drawn for; nil means none.
	Redirect *Redirect
	// Invalid says why the client's proxy answers the backend's share with 500; "" means that it
	// does not.
	Invalid string
}

// HeaderFilter changes headers: Add appends, then Set replaces, then Remove deletes (linkerd2-proxy,
// linkerd/http/route/src/http/filter/modify_header.rs).
type HeaderFilter struct {
	Set    []Header
	Add    []Header
	Remove []string
}

// Header is a header and its value.
type Header struct{ Name, Value string }

// Match is a set of conditions that must all hold.
type Match struct {
	Path PathMatch
	// Method is in upper case; "" matches every method.
	Method string
	// Headers are matched by name, ignoring case; Query by exact name.
	Headers []ValueMatch
	Query   []ValueMatch
}

// PathKind is how a path is compared.
type PathKind uint8

// Kinds of path matches.
const (
	// PathAny matches every path, like a match without a path.
	PathAny PathKind = iota
	PathExact
	// PathPrefix compares whole segments: /foo matches /foo and /foo/bar, but not /foobar.
	PathPrefix
	// PathRegex must match the whole path.
	PathRegex
)

// PathMatch is a condition on the path.
type PathMatch struct {
	Kind  PathKind
	Value string
}

// ValueMatch is a condition on a header or query parameter. A regular expression must match the
// whole value.
type ValueMatch struct {
	Name  string
	Value string
	Regex bool
}

// Request is the part of a request that a client's proxy looks at.
type Request struct {
	Method string
	// Host is the authority without its port, Port its port, or 0 if it has none.
	Host string
	Port int
	// Path has no query.
	Path string
	// Query is raw, without the question mark.
	Query   string
	Headers []Header
}
