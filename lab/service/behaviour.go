// Package service models the demo services: how long they take, what they answer, and how their
// faults show.
//
// A behaviour is data. The model is a function of request, state and seed; it has no clock, no
// network and no cluster, so the sim can call it for millions of requests and an HTTP server can
// serve it. Whether a fault hits a request is decided by a hash of seed and sequence number, so the
// ground truth can be recomputed from the plan.
package service

import "time"

// Behaviour is how one version of one service behaves.
type Behaviour struct {
	// Routes by name; the entry "" applies to every route without an entry of its own.
	Routes map[string]RouteBehaviour `yaml:"routes" json:"routes"`
	// Capacity of one pod; the zero value is unlimited.
	Capacity Capacity `yaml:"capacity,omitempty" json:"capacity,omitempty"`
	// WarmUp slows the first requests of a new pod.
	WarmUp WarmUp `yaml:"warmUp,omitempty" json:"warmUp,omitempty"`
	// Memory of one pod; the zero value means that memory is not modelled.
	Memory Memory `yaml:"memory,omitempty" json:"memory,omitempty"`
	// StartUp is the time from a pod's creation to its readiness.
	StartUp time.Duration `yaml:"startUp,omitempty" json:"startUp,omitempty"`
	Faults  []Fault       `yaml:"faults,omitempty" json:"faults,omitempty"`
}

// RouteBehaviour is how a route behaves without faults.
type RouteBehaviour struct {
	// Latency of the service's own work.
	Latency Latency `yaml:"latency" json:"latency"`
	// ErrorRate is the share of requests that are answered 500 without any injected fault, 0 to 1.
	ErrorRate float64 `yaml:"errorRate,omitempty" json:"errorRate,omitempty"`
	// Calls names the service that is called before answering; "" for none. If that call fails, the
	// answer is 502; its 403 and 429 are passed on.
	Calls string `yaml:"calls,omitempty" json:"calls,omitempty"`
	// Call says how often that service is called, and what its client does about slow and failed
	// answers. The zero value calls it once for each request, and waits for as long as it takes.
	Call Call `yaml:"call,omitempty" json:"call,omitempty"`
	// Datastore is the latency of the modelled datastore; zero for none.
	Datastore Latency `yaml:"datastore,omitempty" json:"datastore,omitempty"`
	// Size of the answer's body in bytes; 0 means [DefaultSize].
	Size int `yaml:"size,omitempty" json:"size,omitempty"`
}

// DefaultSize is the size of a short answer, in bytes.
const DefaultSize = 128

// MaxSize is the upper limit of [RouteBehaviour.Size], in bytes.
const MaxSize = 16 << 20

// Latency is a lognormal distribution, given by two of its quantiles.
type Latency struct {
	P50 time.Duration `yaml:"p50" json:"p50"`
	P99 time.Duration `yaml:"p99" json:"p99"`
}

// Capacity limits the work of one pod.
type Capacity struct {
	// Concurrency is the maximum number of requests in progress; 0 is unlimited.
	Concurrency int `yaml:"concurrency,omitempty" json:"concurrency,omitempty"`
	// Queue is the maximum number of requests that wait; further ones are answered 503 at once.
	Queue int `yaml:"queue,omitempty" json:"queue,omitempty"`
}

// WarmUp multiplies the latency of a new pod: by Factor at first, falling linearly to 1 at the end
// of For.
type WarmUp struct {
	For    time.Duration `yaml:"for,omitempty" json:"for,omitempty"`
	Factor float64       `yaml:"factor,omitempty" json:"factor,omitempty"`
}

// Memory of one pod, in MiB. A pod that exceeds Limit is killed and restarts.
type Memory struct {
	Base  float64 `yaml:"base,omitempty" json:"base,omitempty"`
	Limit float64 `yaml:"limit,omitempty" json:"limit,omitempty"`
}

// Fault is one defect of a version. A request is hit if all conditions of When hold and the hash of
// seed, fault and sequence number falls below Share.
type Fault struct {
	Name string `yaml:"name" json:"name"`
	When When   `yaml:"when,omitempty" json:"when,omitempty"`
	// Share of the matching requests that are hit, 0 to 1; 0 means 1.
	Share  float64 `yaml:"share,omitempty" json:"share,omitempty"`
	Effect Effect  `yaml:"effect" json:"effect"`
}

// When selects the requests that a fault can hit. Empty fields match all requests.
type When struct {
	Routes  []string `yaml:"routes,omitempty" json:"routes,omitempty"`
	Cohorts []string `yaml:"cohorts,omitempty" json:"cohorts,omitempty"`
	// Header is matched by a regular expression over the whole value.
	Header *NameMatch `yaml:"header,omitempty" json:"header,omitempty"`
	// Cookie is matched by a regular expression over the whole value.
	Cookie *NameMatch `yaml:"cookie,omitempty" json:"cookie,omitempty"`
	// Users is the share of users that are affected, the same users for the whole run (hash of
	// seed, fault and user); 0 means all.
	Users float64 `yaml:"users,omitempty" json:"users,omitempty"`
	// Load is the minimum number of requests in progress in the pod, including this one.
	Load int `yaml:"load,omitempty" json:"load,omitempty"`
	// Uptime is the minimum age of the pod.
	Uptime time.Duration `yaml:"uptime,omitempty" json:"uptime,omitempty"`
	// Weight is the minimum share of the service's traffic that the version gets, in percent.
	Weight float64 `yaml:"weight,omitempty" json:"weight,omitempty"`
}

// NameMatch matches a header or cookie by name and value.
type NameMatch struct {
	Name  string `yaml:"name" json:"name"`
	Value string `yaml:"value" json:"value"`
}

// Effect is what happens to a request that is hit; several fields may be set.
type Effect struct {
	// Status replaces the answer's status.
	Status int `yaml:"status,omitempty" json:"status,omitempty"`
	// AddLatency is added to the service's own time.
	AddLatency *Latency `yaml:"addLatency,omitempty" json:"addLatency,omitempty"`
	// MultiplyLatency multiplies the service's own time; 0 means 1.
	MultiplyLatency float64 `yaml:"multiplyLatency,omitempty" json:"multiplyLatency,omitempty"`
	// WrongBody answers 200 with wrong content.
	WrongBody bool `yaml:"wrongBody,omitempty" json:"wrongBody,omitempty"`
	// GrowMemory is the memory that the request leaks, in MiB.
	GrowMemory float64 `yaml:"growMemory,omitempty" json:"growMemory,omitempty"`
	// Hold keeps the pod's slot busy after the answer, as a leaked connection does.
	Hold time.Duration `yaml:"hold,omitempty" json:"hold,omitempty"`
}

// Request is what a service knows about one request. Cohort and Route are indices into the
// [Vocabulary].
type Request struct {
	Seq    uint64
	User   uint32
	Cohort uint16
	Route  uint16
	// Attempt numbers the client's attempts at the request from 0. Each attempt draws its own
	// random numbers, so a retry can succeed where a fault hits only a share of the requests.
	Attempt uint8
}

// State is the pod's state when work on a request starts.
type State struct {
	// Uptime is the time since the pod became ready.
	Uptime time.Duration
	// InWork counts requests in progress in the pod, including this one.
	InWork int
	// Weight is the share of the service's traffic that this version currently gets, in percent.
	Weight float64
}

// Work is what the service does with a request.
type Work struct {
	// Before and After are the service's own time before and after the call of another service.
	Before, After time.Duration
	// Calls is the service that is called in between; "" for none.
	Calls string
	// Call says how it is called; nil for the zero value. It must not be changed.
	Call *Call
	// Status is the answer if the call, if any, succeeds.
	Status int
	Wrong  bool
	// Size of the answer's body, in bytes.
	Size int
	// Hit is set if an injected fault hit the request.
	Hit bool
	// Hold is how long the slot stays busy after the answer.
	Hold time.Duration
	// Grow is the memory that the request leaks, in MiB.
	Grow float64
}

// Vocabulary gives the model the names behind the indices in [Request].
type Vocabulary struct {
	Routes  []string
	Cohorts []string
	// Header returns the value of a header that a user of a cohort sends; "" for none.
	Header func(cohort uint16, user uint32, name string) string
	// Cookie returns the value of a cookie that a user of a cohort sends; "" for none.
	Cookie func(cohort uint16, user uint32, name string) string
	// PerUser reports whether headers or cookies differ between users of a cohort; nil means that
	// they do in all cohorts. For the other cohorts, matches are computed once.
	PerUser func(cohort uint16) bool
}
