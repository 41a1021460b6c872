// Package loadgen turns a workload and a seed into a plan: the list of requests that make up the
// traffic.
//
// A plan is a pure function of workload, seed and duration. The package knows nothing about the
// services and the cluster that respond; package attack and the simulator play plans.
package loadgen

import (
	"time"

	"coalmine/loadgen/accesslog"
)

// Workload describes the traffic of a scenario.
type Workload struct {
	// Rate is the offered load over time, in requests per second. It is omitted if a log is
	// replayed.
	Rate Curve `yaml:"rate,omitempty" json:"rate,omitzero"`
	// Bursts raise the rate at random times.
	Bursts *Bursts `yaml:"bursts,omitempty" json:"bursts,omitempty"`
	// Routes are the kinds of requests that users make.
	Routes []Route `yaml:"routes,omitempty" json:"routes,omitempty"`
	// Cohorts are the kinds of users. Their shares sum to 1.
	Cohorts []Cohort `yaml:"cohorts" json:"cohorts"`
	// Replay takes times, paths and users from an access log. It replaces rate, bursts, shares and
	// sessions.
	Replay *Replay `yaml:"replay,omitempty" json:"replay,omitempty"`
}

// Bursts make arrivals a two-state Markov-modulated Poisson process (Fischer, Meier-Hellstern: The
// Markov-modulated Poisson process (MMPP) cookbook, Performance Evaluation 18, 1993): in calm times
// the rate is that of the curve, in a burst it is Factor times that. The time spent in a state is
// exponential.
type Bursts struct {
	Factor float64 `yaml:"factor" json:"factor"`
	// Calm and Burst are the mean times spent in a state.
	Calm  time.Duration `yaml:"calm" json:"calm"`
	Burst time.Duration `yaml:"burst" json:"burst"`
}

// Route is one kind of request.
type Route struct {
	Name   string `yaml:"name" json:"name"`
	Method string `yaml:"method,omitempty" json:"method,omitempty"` // default GET
	// Path may contain {item} and {user}, which are replaced by the number of an item (see [Items])
	// and by the user's number, and a query. When a log is replayed, a path that ends in * matches
	// all paths with that prefix.
	Path string `yaml:"path" json:"path"`
	// Headers are sent with each request of the route, in place of the cohort's headers of the same
	// names. {user} in a value is replaced by the user's number.
	Headers []Pair `yaml:"headers,omitempty" json:"headers,omitempty"`
	// Body is the content of each request, in which {item} and {user} are replaced as in the path.
	// Without a Content-Type among the headers it is sent as application/json if it is JSON, and as
	// text/plain otherwise. Without a body, POST, PUT and PATCH send a small JSON document.
	Body string `yaml:"body,omitempty" json:"body,omitempty"`
	// Service is the service to which clients send the request; "" is the scenario's first service.
	Service string `yaml:"service,omitempty" json:"service,omitempty"`
}

// Cohort is a kind of user, identified by headers or cookies.
type Cohort struct {
	Name string `yaml:"name" json:"name"`
	// Share is the share of all requests, 0 to 1, not counting retries.
	Share float64 `yaml:"share,omitempty" json:"share,omitempty"`
	// Users is the number of distinct users; 0 means a new user for each request or session.
	Users int `yaml:"users,omitempty" json:"users,omitempty"`
	// Client is the meshed client workload that sends the requests; "" is the scenario's first
	// client.
	Client string `yaml:"client,omitempty" json:"client,omitempty"`
	// Headers are sent with each request. Cookies are sent too, as one Cookie header in the order
	// given here. {user} in a value is replaced by the user's number.
	Headers []Pair `yaml:"headers,omitempty" json:"headers,omitempty"`
	Cookies []Pair `yaml:"cookies,omitempty" json:"cookies,omitempty"`
	// ShuffleCookies gives each user an individual order of cookies, fixed by seed and user.
	ShuffleCookies bool `yaml:"shuffleCookies,omitempty" json:"shuffleCookies,omitempty"`
	// Mix weighs the routes that the cohort requests; weights need not sum to 1. Exactly one of
	// Mix, Zipf and Session is set.
	Mix map[string]float64 `yaml:"mix,omitempty" json:"mix,omitempty"`
	// Zipf weighs the routes by their popularity rank within the cohort.
	Zipf *Zipf `yaml:"zipf,omitempty" json:"zipf,omitempty"`
	// Session makes each arrival a session of several requests.
	Session *Session `yaml:"session,omitempty" json:"session,omitempty"`
	// Items defines what {item} in paths and bodies is replaced by. It is required if the cohort
	// requests such a route.
	Items *Items `yaml:"items,omitempty" json:"items,omitempty"`
	// IgnoreSetCookie is for clients that do not keep cookies, as most bots do not.
	IgnoreSetCookie bool `yaml:"ignoreSetCookie,omitempty" json:"ignoreSetCookie,omitempty"`
	// CacheBuster is the name of a query parameter with a unique value on each request, so that no
	// cache can respond.
	CacheBuster string `yaml:"cacheBuster,omitempty" json:"cacheBuster,omitempty"`
	// Bandwidth limits how fast the client reads a response, in bytes per second; 0 means no limit.
	Bandwidth int `yaml:"bandwidth,omitempty" json:"bandwidth,omitempty"`
	// Retry is the client's retry policy; nil means no retries.
	Retry *Retry `yaml:"retry,omitempty" json:"retry,omitempty"`
	// Match selects the cohort's lines of a log. A line belongs to the first cohort that matches; a
	// cohort without Match matches every line.
	Match *LogMatch `yaml:"match,omitempty" json:"match,omitempty"`
}

// Zipf gives the route of rank k, counted from 1, the weight 1/k^Exponent (Breslau and others: Web
// caching and Zipf-like distributions, INFOCOM 1999). Cohorts with different favourites correlate
// cohort and route.
type Zipf struct {
	Exponent float64 `yaml:"exponent" json:"exponent"`
	// Routes lists the routes from the most to the least popular.
	Routes []string `yaml:"routes" json:"routes"`
}

// Session is a visit of a user, who requests a page, thinks, and then continues or leaves. Session
// starts are Poisson, with the cohort's share of the rate divided by the mean length, so the load
// is partly open (Schroeder, Wierman, Harchol-Balter: Open versus closed, NSDI 2006). Think time
// runs from one planned request to the next, so a slow response does not slow down the plan. When
// traffic starts, as many sessions are active as if the rate had always been that of the start. If
// the rate changes, requests follow with a delay, because sessions continue.
type Session struct {
	// Length is the mean number of requests, 1 to 1000; the number is geometric. It never exceeds
	// 37 times the mean plus one, which a geometric number does once in 10^16 times.
	Length float64 `yaml:"length" json:"length"`
	Think  Think   `yaml:"think" json:"think"`
	// Start weighs the first page of a session. Next weighs, for a page, the pages that follow it;
	// from a page without an entry users continue as by Start. A page with an entry must be
	// reachable.
	Start map[string]float64            `yaml:"start" json:"start"`
	Next  map[string]map[string]float64 `yaml:"next,omitempty" json:"next,omitempty"`
}

// Think is a distribution of think times. Exactly one field is set.
type Think struct {
	// Constant is for clients with a fixed interval, such as crawlers.
	Constant  time.Duration   `yaml:"constant,omitempty" json:"constant,omitempty"`
	Lognormal *LognormalThink `yaml:"lognormal,omitempty" json:"lognormal,omitempty"`
	Pareto    *ParetoThink    `yaml:"pareto,omitempty" json:"pareto,omitempty"`
}

// LognormalThink is given by two quantiles.
type LognormalThink struct {
	P50 time.Duration `yaml:"p50" json:"p50"`
	P99 time.Duration `yaml:"p99" json:"p99"`
}

// ParetoThink is Min·U^(-1/Alpha) for U uniform in (0, 1], cut at Max. Alpha is over 1, so that the
// mean exists.
type ParetoThink struct {
	Min   time.Duration `yaml:"min" json:"min"`
	Alpha float64       `yaml:"alpha" json:"alpha"`
	Max   time.Duration `yaml:"max" json:"max"`
}

// Items are the things that a cohort looks at: numbers from 0 to Count-1. The popularity of rank k
// is 1/k^Exponent; 0 makes all equally popular. The item of rank k is number (Offset + k - 1) mod
// Count, so that cohorts can have different favourites.
type Items struct {
	Count    int     `yaml:"count" json:"count"`
	Exponent float64 `yaml:"exponent,omitempty" json:"exponent,omitempty"`
	Offset   int     `yaml:"offset,omitempty" json:"offset,omitempty"`
	// Sequential clients request one item after the other, as crawlers do.
	Sequential bool `yaml:"sequential,omitempty" json:"sequential,omitempty"`
}

// Retry is a client's retry policy: at most Attempts requests in total while they fail (no
// response, 502, 503 or 504; also 500 and 429 if On lists them). The wait before attempt n is
// Base·2^(n-1), at most Max, of which a share Jitter is random (0: none, 1: all of it, "full
// jitter": Brooker, AWS Architecture Blog, 2015).
type Retry struct {
	Attempts int           `yaml:"attempts" json:"attempts"`
	Base     time.Duration `yaml:"base" json:"base"`
	Max      time.Duration `yaml:"max" json:"max"`
	Jitter   float64       `yaml:"jitter,omitempty" json:"jitter,omitempty"`
	// On lists the statuses to retry; the default is 502, 503 and 504. A request without a response
	// is always retried.
	On []int `yaml:"on,omitempty" json:"on,omitempty"`
	// Budget limits the retries of the whole cohort; nil means no limit.
	Budget *Budget `yaml:"budget,omitempty" json:"budget,omitempty"`
}

// Budget allows retries as a share of the requests of the last TTL, plus PerSecond (as in Finagle's
// RetryBudget and Linkerd's ServiceProfiles).
type Budget struct {
	Ratio     float64       `yaml:"ratio" json:"ratio"`
	PerSecond float64       `yaml:"perSecond,omitempty" json:"perSecond,omitempty"`
	TTL       time.Duration `yaml:"ttl,omitempty" json:"ttl,omitempty"` // default 10s
}

// Replay plays the lines of an access log. Each line is an arrival with the line's method and
// target, at the line's time since the first one. Its route is found by method and path (see
// [Router.Route]); its cohort is the first one that matches. Lines that match nothing get a route
// or cohort named other, which the plan adds. Users are distinguished by client address, user and
// user agent, and send that agent; a request has its line's referer. The rest comes from the cohort: a
// log has neither bodies nor most headers, so be careful with requests that change state.
//
// Lines with equal times keep their order. If the log has times in whole seconds, the lines of a
// second are spread evenly over it.
type Replay struct {
	// Log is the path of the file, relative to the file that names it.
	Log string `yaml:"log" json:"log"`
	// Format is common, combined, json, envoy or alb; "" means to detect it.
	Format string `yaml:"format,omitempty" json:"format,omitempty"`
	// Speed divides the times between lines: 2 plays the log twice as fast. 0 means 1.
	Speed float64 `yaml:"speed,omitempty" json:"speed,omitempty"`
	// Lines are the lines of the log, read by the caller. A plan needs them; Validate does not.
	Lines []accesslog.Line `yaml:"-" json:"-"`
}

// LogMatch selects log lines by regular expressions (RE2), which may match anywhere in the text.
// Empty fields match everything. Path is matched without the query.
type LogMatch struct {
	UserAgent string `yaml:"userAgent,omitempty" json:"userAgent,omitempty"`
	User      string `yaml:"user,omitempty" json:"user,omitempty"`
	Path      string `yaml:"path,omitempty" json:"path,omitempty"`
	Referer   string `yaml:"referer,omitempty" json:"referer,omitempty"`
}

// Pair is a header or cookie.
type Pair struct {
	Name  string `yaml:"name" json:"name"`
	Value string `yaml:"value" json:"value"`
}

// Curve is a rate over time. Exactly one field is set.
type Curve struct {
	// Constant is a rate in requests per second.
	Constant float64  `yaml:"constant,omitempty" json:"constant,omitempty"`
	Ramp     *Ramp    `yaml:"ramp,omitempty" json:"ramp,omitempty"`
	Steps    []Step   `yaml:"steps,omitempty" json:"steps,omitempty"`
	Spike    *Spike   `yaml:"spike,omitempty" json:"spike,omitempty"`
	Diurnal  *Diurnal `yaml:"diurnal,omitempty" json:"diurnal,omitempty"`
}

// Ramp changes linearly from one rate to another and stays there.
type Ramp struct {
	From float64       `yaml:"from" json:"from"`
	To   float64       `yaml:"to" json:"to"`
	Over time.Duration `yaml:"over" json:"over"`
}

// Step is a rate that applies from a time on.
type Step struct {
	At   time.Duration `yaml:"at" json:"at"`
	Rate float64       `yaml:"rate" json:"rate"`
}

// Spike is a base rate with one peak.
type Spike struct {
	Base float64       `yaml:"base" json:"base"`
	Peak float64       `yaml:"peak" json:"peak"`
	At   time.Duration `yaml:"at" json:"at"`
	For  time.Duration `yaml:"for" json:"for"`
}

// Diurnal is a sine around a mean: mean + amplitude·sin(2π·(t/period + phase)).
type Diurnal struct {
	Mean      float64       `yaml:"mean" json:"mean"`
	Amplitude float64       `yaml:"amplitude" json:"amplitude"`
	Period    time.Duration `yaml:"period" json:"period"`
	Phase     float64       `yaml:"phase,omitempty" json:"phase,omitempty"`
}

// Arrival is one planned request.
type Arrival struct {
	// At is the intended send time since the start of traffic.
	At time.Duration
	// Seq counts from 0 without gaps.
	Seq uint64
	// User is unique over all cohorts: a cohort's users are a contiguous range (see [Plan.Users]).
	User uint32
	// Cohort and Route are indices into the workload.
	Cohort uint16
	Route  uint16
	// Session numbers sessions from 1; 0 means a single request.
	Session uint32
	// Item replaces {item} in path and body, or is the number of the log line.
	Item uint32
}
