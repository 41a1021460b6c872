// Package loadgen turns a workload and a seed into the list of arrivals that the traffic is, and plays it.
//
// A plan is a pure function of workload, seed and duration. The package knows neither the services nor the cluster that
// answer; executors are handed a function that does.
package loadgen

import "time"

// Workload describes the traffic of a scenario.
type Workload struct {
	// Rate is the offered load over time, in requests per second.
	Rate Curve `yaml:"rate" json:"rate"`
	// Routes are what users can ask for.
	Routes []Route `yaml:"routes" json:"routes"`
	// Cohorts are the kinds of users. Their shares sum to 1.
	Cohorts []Cohort `yaml:"cohorts" json:"cohorts"`
}

// Route is one kind of request.
type Route struct {
	Name   string `yaml:"name" json:"name"`
	Method string `yaml:"method,omitempty" json:"method,omitempty"` // default GET
	Path   string `yaml:"path" json:"path"`
	// Service is where clients send it; "" is the scenario's first service.
	Service string `yaml:"service,omitempty" json:"service,omitempty"`
}

// Cohort is a kind of user, told from others by headers or cookies.
type Cohort struct {
	Name string `yaml:"name" json:"name"`
	// Share is the part of all arrivals, 0 to 1.
	Share float64 `yaml:"share" json:"share"`
	// Users is the number of distinct users; 0 means one for each arrival (bots without cookies).
	Users int `yaml:"users,omitempty" json:"users,omitempty"`
	// Client is the meshed client workload that sends the requests; "" is the scenario's first client.
	Client string `yaml:"client,omitempty" json:"client,omitempty"`
	// Headers are sent with each request. Cookies too, as one Cookie header in the order given here. The text {user} in a
	// value stands for the user's number.
	Headers []Pair `yaml:"headers,omitempty" json:"headers,omitempty"`
	Cookies []Pair `yaml:"cookies,omitempty" json:"cookies,omitempty"`
	// ShuffleCookies gives each user an order of cookies of their own, fixed by seed and user.
	ShuffleCookies bool `yaml:"shuffleCookies,omitempty" json:"shuffleCookies,omitempty"`
	// Mix weighs the routes that the cohort asks for; weights need not sum to 1.
	Mix map[string]float64 `yaml:"mix" json:"mix"`
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
}
