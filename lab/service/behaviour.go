// Package service models the demo services: how long they take, what they answer, and how their faults show.
//
// A behaviour is data. The model is a function of request, state and seed; it has no clock, no network and no cluster, so
// that the sim can call it for millions of requests and an HTTP server can serve it. Whether a fault hits a request is
// decided by a hash of seed and sequence number, so that the truth can be recomputed from the plan.
package service

import "time"

// Behaviour is how one version of one service behaves.
type Behaviour struct {
	// Routes by name; the entry "" is for every route without one of its own.
	Routes map[string]RouteBehaviour `yaml:"routes" json:"routes"`
	// Capacity of one pod; the zero value is unlimited.
	Capacity Capacity `yaml:"capacity,omitempty" json:"capacity,omitempty"`
	// WarmUp slows the first requests of a fresh pod.
	WarmUp WarmUp `yaml:"warmUp,omitempty" json:"warmUp,omitempty"`
	// Memory of one pod; the zero value is not modelled.
	Memory Memory `yaml:"memory,omitempty" json:"memory,omitempty"`
	// StartUp is the time from a pod's creation to its readiness.
	StartUp time.Duration `yaml:"startUp,omitempty" json:"startUp,omitempty"`
	Faults  []Fault       `yaml:"faults,omitempty" json:"faults,omitempty"`
}

// RouteBehaviour is the healthy part of a route.
type RouteBehaviour struct {
	// Latency of the service's own work.
	Latency Latency `yaml:"latency" json:"latency"`
	// ErrorRate is the share of requests answered 500 without any injected fault, 0 to 1.
	ErrorRate float64 `yaml:"errorRate,omitempty" json:"errorRate,omitempty"`
	// Calls names the service that is asked before answering ("" for none). Its failure is answered as 502, its 403 and 429
	// as they are.
	Calls string `yaml:"calls,omitempty" json:"calls,omitempty"`
	// Datastore is the time that the modelled datastore takes; zero for none.
	Datastore Latency `yaml:"datastore,omitempty" json:"datastore,omitempty"`
	// Size of the answer's body in bytes; 0 stands for [DefaultSize].
	Size int `yaml:"size,omitempty" json:"size,omitempty"`
}

// DefaultSize is that of a short answer, in bytes.
const DefaultSize = 128

// MaxSize is the largest that [RouteBehaviour.Size] can be.
const MaxSize = 16 << 20

// Latency is a lognormal distribution, given by two quantiles.
type Latency struct {
	P50 time.Duration `yaml:"p50" json:"p50"`
	P99 time.Duration `yaml:"p99" json:"p99"`
}

// Capacity bounds the work of one pod.
type Capacity struct {
	// Concurrency is the number of requests worked on at once; 0 is unlimited.
	Concurrency int `yaml:"concurrency,omitempty" json:"concurrency,omitempty"`
	// Queue is the number of requests that may wait; a request over it is answered 503 at once.
	Queue int `yaml:"queue,omitempty" json:"queue,omitempty"`
}

// WarmUp multiplies the latency of a fresh pod: by Factor at first, linearly down to 1 at the end of For.
type WarmUp struct {
	For    time.Duration `yaml:"for,omitempty" json:"for,omitempty"`
	Factor float64       `yaml:"factor,omitempty" json:"factor,omitempty"`
}

// Memory of one pod, in MiB. Over Limit the pod is killed and starts anew.
type Memory struct {
	Base  float64 `yaml:"base,omitempty" json:"base,omitempty"`
	Limit float64 `yaml:"limit,omitempty" json:"limit,omitempty"`
}

// Fault is one defect of a version. A request is hit when every part of When matches it and the hash of seed, fault and
// sequence number falls under Share.
type Fault struct {
	Name string `yaml:"name" json:"name"`
	When When   `yaml:"when,omitempty" json:"when,omitempty"`
	// Share of the matching requests that are hit, 0 to 1; 0 stands for 1.
	Share  float64 `yaml:"share,omitempty" json:"share,omitempty"`
	Effect Effect  `yaml:"effect" json:"effect"`
}

// When says which requests a fault can hit. Empty parts match everything.
type When struct {
	Routes  []string `yaml:"routes,omitempty" json:"routes,omitempty"`
	Cohorts []string `yaml:"cohorts,omitempty" json:"cohorts,omitempty"`
	// Header and Cookie match one header or cookie by a regular expression over the whole value.
	Header *NameMatch `yaml:"header,omitempty" json:"header,omitempty"`
	Cookie *NameMatch `yaml:"cookie,omitempty" json:"cookie,omitempty"`
	// Users is the share of users that are affected, the same ones for the whole run (hash of seed, fault and user); 0 is all.
	Users float64 `yaml:"users,omitempty" json:"users,omitempty"`
	// Load is the least number of requests in work in the pod, Uptime the least age of the pod, Weight the least share of
	// the service's traffic that its version gets, in percent.
	Load   int           `yaml:"load,omitempty" json:"load,omitempty"`
	Uptime time.Duration `yaml:"uptime,omitempty" json:"uptime,omitempty"`
	Weight float64       `yaml:"weight,omitempty" json:"weight,omitempty"`
}

// NameMatch matches a named header or cookie.
type NameMatch struct {
	Name  string `yaml:"name" json:"name"`
	Value string `yaml:"value" json:"value"`
}

// Effect is what a hit request suffers; several parts may be set.
type Effect struct {
	// Status replaces the answer's status.
	Status int `yaml:"status,omitempty" json:"status,omitempty"`
	// AddLatency is added to the service's own time; MultiplyLatency multiplies it (0 stands for 1).
	AddLatency      *Latency `yaml:"addLatency,omitempty" json:"addLatency,omitempty"`
	MultiplyLatency float64  `yaml:"multiplyLatency,omitempty" json:"multiplyLatency,omitempty"`
	// WrongBody answers 200 with wrong content.
	WrongBody bool `yaml:"wrongBody,omitempty" json:"wrongBody,omitempty"`
	// GrowMemory is the memory that the pod never gives back, in MiB.
	GrowMemory float64 `yaml:"growMemory,omitempty" json:"growMemory,omitempty"`
	// Hold keeps the pod's slot busy for a time after the answer, as a leaked connection does.
	Hold time.Duration `yaml:"hold,omitempty" json:"hold,omitempty"`
}

// Request is what a service knows of one request. Cohort and Route are indices into the [Vocabulary].
type Request struct {
	Seq    uint64
	User   uint32
	Cohort uint16
	Route  uint16
	// Attempt counts the mesh's retries of the same request from 0: each attempt draws anew, so that a retry can heal a
	// fault that hits a share.
	Attempt uint8
}

// State is the pod's state at the moment at which work on a request begins.
type State struct {
	// Uptime since the pod became ready.
	Uptime time.Duration
	// InWork counts requests in work in the pod, this one included.
	InWork int
	// Weight is the share of the service's traffic that this version gets now, in percent.
	Weight float64
}

// Work is what the service does with a request.
type Work struct {
	// Before and After are the service's own time before and after the call of the other service, if any.
	Before, After time.Duration
	// Calls is the service to ask in between; "" for none.
	Calls string
	// Status is the answer if the call (if any) succeeds.
	Status int
	Wrong  bool
	// Size of the answer's body, in bytes.
	Size int
	// Hit is set when an injected fault touched the request.
	Hit bool
	// Hold keeps the slot busy after the answer; Grow is memory lost, in MiB.
	Hold time.Duration
	Grow float64
}

// Vocabulary gives the model the words behind the indices in [Request].
type Vocabulary struct {
	Routes  []string
	Cohorts []string
	// Header returns the value of a header, and Cookie of a cookie, that a user of a cohort sends; "" for none.
	Header func(cohort uint16, user uint32, name string) string
	Cookie func(cohort uint16, user uint32, name string) string
	// PerUser tells whether any of them differs between users of a cohort; nil stands for all cohorts. Matches of the
	// other cohorts are decided once.
	PerUser func(cohort uint16) bool
}
