// Package mesh models Linkerd's data plane: to which backend and which of its pods a client's proxy
// sends a request, whether the pod's proxy admits it, and what both proxies count.
//
// The package consists of decisions and counters. It has no clock, no sockets and no Kubernetes
// client: the caller passes the time, random bits and the state of the endpoints. The sim runs it
// in virtual time; the test mesh runs it behind real HTTP proxies. Nothing in it is safe for
// concurrent use.
//
// The model follows the sources of linkerd2-proxy (29637b6, August 2026) and of linkerd2's policy
// controller (b24cd40, August 2026), and recordings of both; each part names its source file, and
// docs/linkerd.md says what was recorded and what was only read. Not modelled: gRPC and TCP.
package mesh
