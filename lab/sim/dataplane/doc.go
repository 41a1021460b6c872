// Package dataplane plays the traffic plan in virtual time: arrivals, the hops between proxies, the work of the demo services
// and the answers, through the mesh model. It is a single-threaded loop over a heap of events, and a function of its inputs:
// the same calls with the same arguments give the same bytes, however the time between them is sliced.
//
// It knows no Kubernetes client, no Flagger and no metrics server. Who owns the cluster tells it pods, Services, routes and
// policies, asks it to advance, and takes away what users got (cells) and what a scrape would see (series).
//
// What the model leaves out: a hop takes no time on the wire and in the proxies; a nested call has the method and path of the
// user's request; and only what a route's filters set at the user's own hop reaches the user's cookie jar. Retries and
// timeouts would stand between an answer and its caller: see [Plane.answered].
package dataplane
