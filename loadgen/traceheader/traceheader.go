// Package traceheader defines the HTTP headers by which a request names its place in a plan, and a
// response says who served it and which faults affected it.
package traceheader

import (
	"net/http"
	"strconv"
	"strings"
)

// Headers, in canonical form.
const (
	// RequestHeader is sent with each attempt: seq=17, attempt=1, user=42, cohort=premium, seed=1.
	RequestHeader = "Coalmine-Request"
	// ServedHeader lists the services that worked on the response and their versions, starting with
	// the one that received the request: frontend=v1, backend=v2.
	ServedHeader = "Coalmine-Served"
	// WorkloadHeader lists their workloads in the same form, if known: frontend=frontend,
	// backend=backend-primary.
	WorkloadHeader = "Coalmine-Workload"
	// DrillHeader marks the probes of a rollback drill. They are not user requests: services report
	// their version and do no work.
	DrillHeader = "X-Coalmine-Drill"
	// DrillToHeader names the service that a probe is for. A service that receives a probe for
	// another one forwards it as a call of its own.
	DrillToHeader = "X-Coalmine-Drill-To"
	// FaultHeader lists the injected faults that affected the request: backend/points-row-missing.
	// It is omitted if there are none.
	FaultHeader = "Coalmine-Fault"
	// WrongHeader is 1 if the content is wrong on purpose.
	WrongHeader = "Coalmine-Wrong"
	// ProxyErrorHeader is set by Linkerd's proxies on responses of their own, for clients in the
	// mesh (linkerd2-proxy, linkerd/app/core/src/errors/respond.rs).
	ProxyErrorHeader = "L5d-Proxy-Error"
	// MeshHeader is 1 if a proxy answered a call that the response needed.
	MeshHeader = "Coalmine-Mesh"
)

// Request is a request's place in its plan.
type Request struct {
	Seq     uint64
	Attempt int
	User    uint32
	Cohort  string
	Seed    uint64
}

// String returns the value of [RequestHeader]. Cohort comes last, because its name may contain
// anything but control characters.
func (r Request) String() string {
	b := make([]byte, 0, 64+len(r.Cohort))
	b = strconv.AppendUint(append(b, "seq="...), r.Seq, 10)
	if r.Attempt > 0 {
		b = strconv.AppendInt(append(b, ", attempt="...), int64(r.Attempt), 10)
	}
	b = strconv.AppendUint(append(b, ", user="...), uint64(r.User), 10)
	b = strconv.AppendUint(append(b, ", seed="...), r.Seed, 10)
	b = append(append(b, ", cohort="...), r.Cohort...)
	return string(b)
}

// Parse parses the value of [RequestHeader]. It returns false if the value is invalid.
func Parse(value string) (Request, bool) {
	var r Request
	head, cohort, ok := strings.Cut(value, ", cohort=")
	if !ok {
		return r, false
	}
	r.Cohort = cohort
	seen := false
	for part := range strings.SplitSeq(head, ", ") {
		name, text, _ := strings.Cut(part, "=")
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return Request{}, false
		}
		switch name {
		case "seq":
			r.Seq, seen = n, true
		case "attempt":
			r.Attempt = int(min(n, 255))
		case "user":
			r.User = uint32(n)
		case "seed":
			r.Seed = n
		}
	}
	return r, seen
}

// Version returns the version of a service among those that served the request, or "" if it did
// not. An empty service means the last one on the list.
func Version(h http.Header, service string) string { return serviceEntry(h[ServedHeader], service) }

// Workload returns the workload of a service among those that served the request, like [Version].
func Workload(h http.Header, service string) string { return serviceEntry(h[WorkloadHeader], service) }

func serviceEntry(list []string, service string) string {
	for _, served := range list {
		for one := range strings.SplitSeq(served, ", ") {
			name, what, ok := strings.Cut(one, "=")
			if ok && name == service {
				return what
			}
		}
	}
	if service != "" {
		return ""
	}
	if len(list) == 0 {
		return ""
	}
	last := list[len(list)-1]
	return last[strings.LastIndexByte(last, '=')+1:]
}

// Truth reports whether an injected fault affected the request, and whether its content is wrong.
func Truth(h http.Header) (hit, wrong bool) { return len(h[FaultHeader]) > 0, len(h[WrongHeader]) > 0 }

// ByMesh reports whether a response says that a proxy answered the request, or a call that it
// needed, in place of a service.
func ByMesh(h http.Header) bool { return len(h[ProxyErrorHeader])+len(h[MeshHeader]) > 0 }

// ByMeshOnly is ByMesh for services that all send [ServedHeader]. A response without it is a
// proxy's, as those of a server's own proxy have no header at all.
func ByMeshOnly(h http.Header) bool { return ByMesh(h) || len(h[ServedHeader]) == 0 }
