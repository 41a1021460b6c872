// Package loadgen turns a workload and a seed into the list of arrivals that the traffic is, and plays it.
//
// A plan is a pure function of workload, seed and duration. The package knows neither the services nor the cluster that
// answer; executors are handed a function that does.
package loadgen

import (
	"time"

	"coalmine/loadgen/accesslog"
)

// Workload describes the traffic of a scenario.
type Workload struct {
	// Rate is the offered load over time, in requests per second. It is left out where a log is replayed.
	Rate Curve `yaml:"rate,omitempty" json:"rate,omitzero"`
	// Bursts raise the rate at random times.
	Bursts *Bursts `yaml:"bursts,omitempty" json:"bursts,omitempty"`
	// Routes are what users can ask for.
	Routes []Route `yaml:"routes,omitempty" json:"routes,omitempty"`
	// Cohorts are the kinds of users. Their shares sum to 1.
	Cohorts []Cohort `yaml:"cohorts" json:"cohorts"`
	// Replay takes times, paths and users from an access log, in the place of rate, bursts, shares and sessions.
	Replay *Replay `yaml:"replay,omitempty" json:"replay,omitempty"`
}

// Bursts make arrivals a Markov-modulated Poisson process of two states (Fischer, Meier-Hellstern: The Markov-modulated
// Poisson process (MMPP) cookbook, Performance Evaluation 18, 1993): calm, in which the rate is that of the curve, and burst,
// in which it is Factor times that. Times in a state are exponential.
type Bursts struct {
	Factor float64 `yaml:"factor" json:"factor"`
	// Calm and Burst are the mean times in a state.
	Calm  time.Duration `yaml:"calm" json:"calm"`
	Burst time.Duration `yaml:"burst" json:"burst"`
}

// Route is one kind of request.
type Route struct {
	Name   string `yaml:"name" json:"name"`
	Method string `yaml:"method,omitempty" json:"method,omitempty"` // default GET
	// Path may contain {item}, which stands for the number of an item (see [Items]), and a query. A path that ends in * stands
	// for all that begin like it, where a log is replayed.
	Path string `yaml:"path" json:"path"`
	// Service is where clients send it; "" is the scenario's first service.
	Service string `yaml:"service,omitempty" json:"service,omitempty"`
}

// Cohort is a kind of user, told from others by headers or cookies.
type Cohort struct {
	Name string `yaml:"name" json:"name"`
	// Share is the part of all requests, 0 to 1; retries do not count.
	Share float64 `yaml:"share,omitempty" json:"share,omitempty"`
	// Users is the number of distinct users; 0 means a new one for each request, or for each session.
	Users int `yaml:"users,omitempty" json:"users,omitempty"`
	// Client is the meshed client workload that sends the requests; "" is the scenario's first client.
	Client string `yaml:"client,omitempty" json:"client,omitempty"`
	// Headers are sent with each request. Cookies too, as one Cookie header in the order given here. The text {user} in a
	// value stands for the user's number.
	Headers []Pair `yaml:"headers,omitempty" json:"headers,omitempty"`
	Cookies []Pair `yaml:"cookies,omitempty" json:"cookies,omitempty"`
	// ShuffleCookies gives each user an order of cookies of their own, fixed by seed and user.
	ShuffleCookies bool `yaml:"shuffleCookies,omitempty" json:"shuffleCookies,omitempty"`
	// Mix weighs the routes that the cohort asks for; weights need not sum to 1. Exactly one of Mix, Zipf and Session is set.
	Mix map[string]float64 `yaml:"mix,omitempty" json:"mix,omitempty"`
	// Zipf weighs the routes by their rank in the cohort's favour.
	Zipf *Zipf `yaml:"zipf,omitempty" json:"zipf,omitempty"`
	// Session makes a visit of several requests of each arrival.
	Session *Session `yaml:"session,omitempty" json:"session,omitempty"`
	// Items says what {item} in paths stands for. It is needed where the cohort asks for such a path.
	Items *Items `yaml:"items,omitempty" json:"items,omitempty"`
	// IgnoreSetCookie is for clients that keep no cookies they are given, as most bots do.
	IgnoreSetCookie bool `yaml:"ignoreSetCookie,omitempty" json:"ignoreSetCookie,omitempty"`
	// CacheBuster is the name of a query parameter with a value of its own on each request, so that no cache answers.
	CacheBuster string `yaml:"cacheBuster,omitempty" json:"cacheBuster,omitempty"`
	// Bandwidth bounds how fast the client reads an answer, in bytes per second; 0 is no bound.
	Bandwidth int `yaml:"bandwidth,omitempty" json:"bandwidth,omitempty"`
	// Retry is what the client does about failures; nil is nothing.
	Retry *Retry `yaml:"retry,omitempty" json:"retry,omitempty"`
	// Match tells which lines of a log are the cohort's. The first cohort that matches has the line; one without Match has all.
	Match *LogMatch `yaml:"match,omitempty" json:"match,omitempty"`
}

// Zipf gives the route of rank k, counted from 1, the weight 1/k^Exponent (Breslau and others: Web caching and Zipf-like
// distributions, INFOCOM 1999). Cohorts with different favourites make cohort and route correlate.
type Zipf struct {
	Exponent float64 `yaml:"exponent" json:"exponent"`
	// Routes from the most to the least popular.
	Routes []string `yaml:"routes" json:"routes"`
}

// Session is a visit: a user asks for a page, thinks, and goes on or leaves. Arrivals of sessions are Poisson, with the cohort's
// share of the rate divided by the length, so the load is partly open (Schroeder, Wierman, Harchol-Balter: Open versus closed,
// NSDI 2006). Think time runs from one planned request to the next, so that a slow answer does not slow the plan down. Sessions are
// under way when traffic begins, as many as there would be if the rate had always been that of the begin. Where the rate changes,
// requests follow it with a delay, for sessions go on.
type Session struct {
	// Length is the mean number of requests, 1 to 1000; the number is geometric. It never is over 37 times the mean plus one, which
	// a geometric number is once in 10^16 times.
	Length float64 `yaml:"length" json:"length"`
	Think  Think   `yaml:"think" json:"think"`
	// Start weighs the first page of a session. Next weighs, for a page, those that follow it; from a page without an entry
	// users begin anew as by Start. A page with an entry must be one that users get to.
	Start map[string]float64            `yaml:"start" json:"start"`
	Next  map[string]map[string]float64 `yaml:"next,omitempty" json:"next,omitempty"`
}

// Think is a distribution of think times. Exactly one of its parts is set.
type Think struct {
	// Constant is for clients that keep a beat, as crawlers do.
	Constant  time.Duration   `yaml:"constant,omitempty" json:"constant,omitempty"`
	Lognormal *LognormalThink `yaml:"lognormal,omitempty" json:"lognormal,omitempty"`
	Pareto    *ParetoThink    `yaml:"pareto,omitempty" json:"pareto,omitempty"`
}

// LognormalThink is given by two quantiles.
type LognormalThink struct {
	P50 time.Duration `yaml:"p50" json:"p50"`
	P99 time.Duration `yaml:"p99" json:"p99"`
}

// ParetoThink is Min·U^(-1/Alpha) for U uniform in (0, 1], cut at Max. Alpha is over 1, so that there is a mean.
type ParetoThink struct {
	Min   time.Duration `yaml:"min" json:"min"`
	Alpha float64       `yaml:"alpha" json:"alpha"`
	Max   time.Duration `yaml:"max" json:"max"`
}

// Items are the things that a cohort looks at: numbers from 0 to Count-1. The popularity of rank k is 1/k^Exponent; 0 makes
// all alike. The item of rank k is number (Offset + k - 1) mod Count, so that cohorts can have favourites of their own.
type Items struct {
	Count    int     `yaml:"count" json:"count"`
	Exponent float64 `yaml:"exponent,omitempty" json:"exponent,omitempty"`
	Offset   int     `yaml:"offset,omitempty" json:"offset,omitempty"`
	// Sequential clients take one item after the other, as crawlers do.
	Sequential bool `yaml:"sequential,omitempty" json:"sequential,omitempty"`
}

// Retry is a client's policy: up to Attempts requests in all for one that fails (no answer, 502, 503 or 504; 500 and 429 where
// On says so). The wait before attempt n is Base·2^(n-1), at most Max, of which a share Jitter is random (0: none, 1: all of it,
// "full jitter": Brooker, AWS Architecture Blog, 2015).
type Retry struct {
	Attempts int           `yaml:"attempts" json:"attempts"`
	Base     time.Duration `yaml:"base" json:"base"`
	Max      time.Duration `yaml:"max" json:"max"`
	Jitter   float64       `yaml:"jitter,omitempty" json:"jitter,omitempty"`
	// On lists the statuses that are tried again; empty is 502, 503 and 504. No answer always is.
	On []int `yaml:"on,omitempty" json:"on,omitempty"`
	// Budget bounds the retries of the whole cohort; nil is no bound.
	Budget *Budget `yaml:"budget,omitempty" json:"budget,omitempty"`
}

// Budget allows retries as a share of the requests of the last TTL, and PerSecond beside (as in Finagle's RetryBudget and
// Linkerd's ServiceProfiles).
type Budget struct {
	Ratio     float64       `yaml:"ratio" json:"ratio"`
	PerSecond float64       `yaml:"perSecond,omitempty" json:"perSecond,omitempty"`
	TTL       time.Duration `yaml:"ttl,omitempty" json:"ttl,omitempty"` // default 10s
}

// Replay plays the lines of an access log: each is an arrival with the method and the target of the line, at the line's time since
// the first one. A line's route is that of its method and path (see [Router.Route]), its cohort the first one that matches. The
// plan adds a route and a cohort, both named other, for lines that are left. Its users are those who differ in client, user or
// user agent. What is sent beside is the cohort's: a log has neither bodies nor most of the headers, so be careful with requests
// that change something.
//
// Lines of one time keep their order. In a log with times in whole seconds the lines of a second are spread evenly over it.
type Replay struct {
	// Log is the file, relative to the one that names it.
	Log string `yaml:"log" json:"log"`
	// Format is common, combined or json; "" is found out.
	Format string `yaml:"format,omitempty" json:"format,omitempty"`
	// Speed divides the times between lines; 0 stands for 1, 2 plays the log twice as fast.
	Speed float64 `yaml:"speed,omitempty" json:"speed,omitempty"`
	// Lines are the log's, read by who knows where it is. A plan needs them; to validate a workload does not.
	Lines []accesslog.Line `yaml:"-" json:"-"`
}

// LogMatch tells lines of a log by regular expressions (RE2), which need to match a part only. Empty parts match everything. Path
// is without query.
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

// Ramp goes linearly from one rate to another and stays there.
type Ramp struct {
	From float64       `yaml:"from" json:"from"`
	To   float64       `yaml:"to" json:"to"`
	Over time.Duration `yaml:"over" json:"over"`
}

// Step is a rate from a time on.
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
	// At is the intended send time since the begin of traffic.
	At time.Duration
	// Seq counts from 0 without gaps.
	Seq uint64
	// User numbers users over all cohorts: a cohort's users are a contiguous range (see [Plan.Users]).
	User uint32
	// Cohort and Route are indices into the workload.
	Cohort uint16
	Route  uint16
	// Session numbers sessions from 1; 0 is a request on its own.
	Session uint32
	// Item is what {item} stands for, or the number of the log's line.
	Item uint32
}
