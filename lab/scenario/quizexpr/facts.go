package quizexpr

import "time"

// Facts are what an expression can ask of a trial. A run that was not played has Played false, and
// all else zero. Times are counted from the release.
type Facts struct {
	// Run is the learner's guardrails with the faulty version; Healthy, Unguarded and Reference are
	// the runs of the same seed.
	Run, Healthy, Unguarded, Reference Run
	Trial                              Trial
}

// Trial is what the whole trial was worth.
type Trial struct {
	Passed    bool `cel:"passed"`
	Points    int  `cel:"points"`
	MaxPoints int  `cel:"max_points"`
	// Verdicts are those of the learner's runs, on faulty and healthy releases.
	Verdicts []string `cel:"verdicts"`
}

// Run is one run.
type Run struct {
	Played bool `cel:"played"`
	// Name is that in reports, such as faulty-1.
	Name    string `cel:"name"`
	Seed    int    `cel:"seed"`
	Verdict string `cel:"verdict"`
	// Caught, Promoted and RolledBack say how it ended; Detected that a guardrail noticed something,
	// and HurtUsers that the fault hurt anyone.
	Caught     bool `cel:"caught"`
	Promoted   bool `cel:"promoted"`
	RolledBack bool `cel:"rolled_back"`
	Detected   bool `cel:"detected"`
	HurtUsers  bool `cel:"hurt_users"`
	// WeightAtAbort is the canary's share in percent when it was rolled back, MaxWeight its greatest
	// share before the decision.
	WeightAtAbort int `cel:"weight_at_abort"`
	MaxWeight     int `cel:"max_weight"`

	FirstBad   time.Duration `cel:"first_bad"`
	DetectedAt time.Duration `cel:"detected_at"`
	AbortedAt  time.Duration `cel:"aborted_at"`
	PromotedAt time.Duration `cel:"promoted_at"`
	// MTTD is the time from the first bad request to its detection, MTTR to the last bad one.
	MTTD time.Duration `cel:"mttd"`
	MTTR time.Duration `cel:"mttr"`
	// PageAfter is when a person is paged after the first bad request, and ManualHarm what that person
	// lets through, by the model of package pager; 0 if nobody is paged.
	PageAfter  time.Duration `cel:"page_after"`
	ManualHarm int           `cel:"manual_harm"`

	// Requests, Bad and Harm count users' requests in the whole run: all, bad ones, and bad ones
	// beyond the baseline. CanaryRequests counts those that the canary answered before the decision,
	// CanaryShare is their share of all then, in percent.
	Requests       int     `cel:"requests"`
	Bad            int     `cel:"bad"`
	Harm           int     `cel:"harm"`
	UsersHurt      int     `cel:"users_hurt"`
	CanaryRequests int     `cel:"canary_requests"`
	CanaryShare    float64 `cel:"canary_share"`
	// MeasuredTicks and FailedTicks count the ticks of Flagger's control loop in which a metric had a
	// value, and in which a check of a metric failed.
	MeasuredTicks int `cel:"measured_ticks"`
	FailedTicks   int `cel:"failed_ticks"`
	// RuleLeft is set if a rule with conditions still sends requests to the canary at the end.
	RuleLeft bool `cel:"rule_left"`

	// Steps are the exposures before the decision. Cohorts and Routes are sorted by harm, the worst
	// first.
	Steps   []Step  `cel:"steps"`
	Cohorts []Group `cel:"cohorts"`
	Routes  []Group `cel:"routes"`
	// Gates are those that were asked after the release, with their last answer.
	Gates []Gate `cel:"gates"`

	// Canary is what the canary answered, second by second, before the decision. Expressions reach it
	// by the functions only.
	Canary []Second `cel:"-"`
}

// Step is one exposure of the released version.
type Step struct {
	At       time.Duration `cel:"at"`
	Weight   int           `cel:"weight"`
	Requests int           `cel:"requests"`
}

// Group is the requests of a cohort or a route in the whole run.
type Group struct {
	Name     string `cel:"name"`
	Requests int    `cel:"requests"`
	Bad      int    `cel:"bad"`
	Harm     int    `cel:"harm"`
	// OnCanary counts those that the canary answered, and HarmOnCanary the harm among them.
	OnCanary     int `cel:"on_canary"`
	HarmOnCanary int `cel:"harm_on_canary"`
	// CanaryShare is the share that the canary answered, in percent, well inside the steps of the
	// analysis.
	CanaryShare float64 `cel:"canary_share"`
}

// Gate is a webhook of the Canary that the lab answers.
type Gate struct {
	Name   string `cel:"name"`
	Passed bool   `cel:"passed"`
	Reason string `cel:"reason"`
}

// Second is what the canary answered in a second that ends To after the release.
type Second struct {
	To           time.Duration
	N, Bad, Slow int
}

// MTTDWith is the MTTD of a check that fails as soon as less than least percent of the canary's
// responses over a window were good, asked every second. It never fails before the first bad request.
// It is -1 s if the canary was gone before the check would have failed.
func (r *Run) MTTDWith(window time.Duration, least float64) time.Duration {
	if !r.HurtUsers {
		return -time.Second
	}
	from, n, bad := 0, 0, 0
	for _, s := range r.Canary {
		n, bad = n+s.N, bad+s.Bad
		for r.Canary[from].To <= s.To-window {
			n, bad = n-r.Canary[from].N, bad-r.Canary[from].Bad
			from++
		}
		if s.To >= r.FirstBad && n > 0 && 100*float64(n-bad)/float64(n) < least {
			return s.To - r.FirstBad
		}
	}
	return -time.Second
}
