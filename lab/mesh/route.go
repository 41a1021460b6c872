package mesh

import "time"

// Route is an HTTPRoute that attaches to Services, in the parts that proxies look at.
type Route struct {
	Name      string
	Namespace string
	// Created orders routes that match equally well: the oldest wins, then the first by name.
	Created time.Time
	Parents []Parent
	// Hostnames restrict the route; none means every host. A leading "*." stands for any labels.
	Hostnames []string
	Rules     []Rule
}

// Parent is a Service whose clients follow the route.
type Parent struct {
	Service   string
	Namespace string
	// Port restricts the route to one port of the Service; 0 is every port.
	Port int
}

// Rule sends requests that match to backends. Retries, timeouts and mirrors of a rule would stand here, beside its filters.
type Rule struct {
	// Matches are alternatives. None matches everything.
	Matches []Match
	// Backends share the rule's requests by weight. None means the parent's own endpoints.
	Backends []Backend
	// RequestHeaders and ResponseHeaders are the rule's filters.
	RequestHeaders  HeaderFilter
	ResponseHeaders HeaderFilter
}

// Backend is a Service that gets a share of a rule's requests.
type Backend struct {
	Service   string
	Namespace string
	Port      int
	// Weight against the sum of the rule's weights. A backend of weight 0 gets nothing.
	Weight int
	// RequestHeaders and ResponseHeaders are the backend's own filters. Flagger's session affinity is a Set-Cookie here.
	RequestHeaders  HeaderFilter
	ResponseHeaders HeaderFilter
}

// HeaderFilter changes headers: Set replaces, Add appends, Remove takes away.
type HeaderFilter struct {
	Set    []Header
	Add    []Header
	Remove []string
}

// Header is a header and its value.
type Header struct{ Name, Value string }

// Match is a set of conditions that all must hold.
type Match struct {
	Path PathMatch
	// Method is upper case; "" is every method.
	Method string
	// Headers are matched by names without regard to case; Query by exact names.
	Headers []ValueMatch
	Query   []ValueMatch
}

// PathKind is how a path is compared.
type PathKind uint8

// Kinds of path matches.
const (
	// PathAny matches every path, as a match without a path does.
	PathAny PathKind = iota
	PathExact
	// PathPrefix compares whole elements: /foo matches /foo and /foo/bar, not /foobar.
	PathPrefix
	// PathRegex must match the whole path.
	PathRegex
)

// PathMatch is a condition on the path.
type PathMatch struct {
	Kind  PathKind
	Value string
}

// ValueMatch is a condition on a header or query parameter. A regular expression must match the whole value.
type ValueMatch struct {
	Name  string
	Value string
	Regex bool
}

// Request is what a client's proxy sees of a request.
type Request struct {
	Method string
	// Host is the authority without port.
	Host string
	// Path without query.
	Path string
	// Query is raw, without question mark.
	Query   string
	Headers []Header
}
