// Package mesh is a model of Linkerd's data plane: which backend a client's proxy sends a request to, which pod of it,
// whether the pod's proxy lets it in, and what both proxies count.
//
// It is made of decisions and counters only. It knows no clock, no socket, no Kubernetes client and no plan of traffic: the
// caller hands in time, random words and the state of the endpoints. So the sim can play it in virtual time, and an HTTP
// proxy can stand on it. Nothing in it is safe for concurrent use.
//
// The model follows the sources of linkerd2-proxy (29637b6, August 2026) and of linkerd2's policy controller (b24cd40, August
// 2026); each part names the file it follows. Not modelled: HTTPRoutes that attach to a Server (inbound routes), gRPC, TCP,
// service profiles, retries, timeouts, circuit breaking, rate limits and request mirrors. Their place is told where they would
// go: [Rule] for what a route asks for, [Balancer.Pick] for the breaker, [Policies.Decide] for rate limits.
package mesh
