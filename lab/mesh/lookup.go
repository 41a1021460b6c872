package mesh

import "time"

// Lookup is a client proxy's look-up of the endpoints of a Service. The destination service sends
// nothing for a Service without endpoints, so the proxy gives up after [LookupTimeout] and asks again
// after a growing pause (linkerd2-proxy, linkerd/tonic-stream/src/lib.rs and linkerd/app/src/dst.rs).
// Endpoints that come in a pause are unknown to the proxy until it asks again. Once it has seen an
// endpoint it follows every change.
type Lookup struct {
	// known is set once the proxy has seen an endpoint.
	known bool
	// asking is set while the proxy waits for an answer.
	asking bool
	pauses int
}

// LookupTimeout is how long a proxy waits for the first answer (linkerd2,
// charts/partials/templates/_proxy.tpl, LINKERD2_PROXY_CONTROL_STREAM_INITIAL_TIMEOUT).
const LookupTimeout = 3 * time.Second

// Known reports whether the proxy follows the Service's endpoints.
func (l *Lookup) Known() bool { return l.known }

// Ask starts a look-up, or the next one after a pause. It reports whether the proxy knows the
// endpoints now; otherwise [Lookup.GiveUp] is to be called after [LookupTimeout].
func (l *Lookup) Ask(endpoints int) bool {
	l.asking = true
	return l.Answer(endpoints)
}

// Answer is called when the number of endpoints has changed. It reports whether the proxy knows them.
func (l *Lookup) Answer(endpoints int) bool {
	l.known = l.known || l.asking && endpoints > 0
	return l.known
}

// GiveUp ends a look-up without answer. It returns the pause after which the proxy asks again.
func (l *Lookup) GiveUp(random uint64) time.Duration {
	l.asking = false
	l.pauses++
	return backoff(100*time.Millisecond, time.Minute, 0.1, l.pauses-1, random)
}
