// Package dataplane plays the traffic plan in virtual time, through the mesh model: arrivals, hops
// between proxies, the work of the demo services and the responses. It is a single-threaded event
// loop and a pure function of its inputs: the same calls with the same arguments give the same
// results, however the time between them is sliced.
//
// It has no Kubernetes client, no Flagger and no Prometheus. Its caller sets pods, Services, routes
// and policies, advances the time, and collects what users got (cells) and what a scrape would see
// (series).
//
// Clients behave as the plan describes them: they may keep cookies, retry failures and read slowly.
// Each attempt is routed and counted like a request of its own by proxies and services; only to its
// user it is a part of one request. A slow client occupies no pod, since the proxies buffer what it
// has not read yet.
//
// Simplifications: a hop takes no time on the wire and in the proxies; a nested call has the method
// and path of the user's request; and only filters of a route at the user's own hop set cookies of
// the user. Retries and timeouts of the mesh would go between a response and its caller; see
// [Plane.returnResponse].
package dataplane
