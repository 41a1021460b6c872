// Package dataplane plays the traffic plan in virtual time: arrivals, the hops between proxies, the work of the demo services
// and the answers, through the mesh model. It is a single-threaded loop over a heap of events, and a function of its inputs:
// the same calls with the same arguments give the same bytes, however the time between them is sliced.
//
// It knows no Kubernetes client, no Flagger and no metrics server. Who owns the cluster tells it pods, Services, routes and
// policies, asks it to advance, and takes away what users got (cells) and what a scrape would see (series).
//
// Clients are modelled as far as the plan describes them: they keep cookies or do not, try again what failed, and may read
// slowly. An attempt is a request of its own for everybody but its user: it is routed and drawn anew, and both proxies and the
// services count it. A slow client holds no pod, for the proxies buffer what it has not read yet.
//
// What the model leaves out: a hop takes no time on the wire and in the proxies; a nested call has the method and path of the
// user's request; and only what a route's filters set at the user's own hop reaches the user's cookie jar. Retries and
// timeouts of the mesh would stand between an answer and its caller: see [Plane.answered].
package dataplane
