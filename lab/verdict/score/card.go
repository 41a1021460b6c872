package score

import "coalmine/lab/event"

// CardFormat is the version of the card's JSON form.
const CardFormat = 1

// Outcomes of a card.
const (
	OutcomePassed       = "passed"
	OutcomeLabFailed    = "lab failed"
	OutcomeMissed       = "incident missed"
	OutcomeRolledBack   = "healthy release not delivered"
	OutcomeHurtUsers    = "guardrails hurt users"
	OutcomeIncomplete   = "essential item missed"
	OutcomeUnconfirmed  = "not confirmed by check seeds"
	OutcomeInconclusive = "inconclusive"
)

// Card is the result of a trial, or of runs of one version. Shares are 0 to 1; times are seconds
// since the run's start unless said otherwise; what was not measured is left out.
type Card struct {
	Format   int    `json:"format"`
	Scenario string `json:"scenario"`
	Title    string `json:"title"`
	// Outcome is one of the Outcome constants, Exit its exit code, and Reason one sentence.
	Outcome string `json:"outcome"`
	Exit    int    `json:"exit"`
	Reason  string `json:"reason"`

	Points    int `json:"points"`
	MaxPoints int `json:"max_points"`
	// Limited is set if an essential item is missing, or check seeds, so that at most half of the
	// points count.
	Limited bool `json:"limited,omitempty"`

	Faulty  Rate `json:"faulty"`  // of all faulty runs, those caught
	Healthy Rate `json:"healthy"` // of all healthy runs, those not delivered
	Harm    Harm `json:"harm"`
	// Skill is (unguarded − learner) / (unguarded − reference) of the harm, 0 to 1.
	Skill *float64 `json:"skill,omitempty"`

	Runs  []Row  `json:"runs"`
	Items []Item `json:"items"`

	// Check is nil if the trial did not pass on its own seeds, and for runs of one version.
	Check *Check `json:"check,omitempty"`

	Preconditions []Precondition `json:"preconditions,omitempty"`
	// Basis is nil if the cluster played all of the guardrails.
	Basis   *Basis  `json:"basis,omitempty"`
	Players Players `json:"players"`

	// Own is the name of the scenario's own guardrails that these are, also if they were copied; ""
	// for others.
	Own string `json:"own_guardrails,omitempty"`
	// Remarks say where the result comes from, if that is not the library's scenario and guardrails
	// of a learner.
	Remarks []string `json:"remarks,omitempty"`
}

// Rate is a count with its Wilson 95 % interval.
type Rate struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Harm counts requests that were bad beyond the baseline, over the faulty seeds.
type Harm struct {
	Learner int `json:"learner"`
	// ByRelease is the part of Learner that the release caused, ByGuardrails that which the
	// guardrails did; Healthy is the harm that the guardrails caused in the healthy runs.
	ByRelease    int `json:"by_release"`
	ByGuardrails int `json:"by_guardrails"`
	Healthy      int `json:"healthy_by_guardrails,omitempty"`
	// Unguarded is the harm of the same seeds without guardrails, Reference that with the
	// scenario's solution, and Bound what an ideal alarm would still have let through.
	Unguarded *int `json:"none,omitempty"`
	Reference *int `json:"best,omitempty"`
	Bound     *int `json:"bound,omitempty"`
	// Avoided is the mean over the seeds of the share of harm avoided. Low and High are its 95 %
	// interval (Student's t), from two seeds on.
	Avoided *float64 `json:"avoided,omitempty"`
	Low     *float64 `json:"avoided_low,omitempty"`
	High    *float64 `json:"avoided_high,omitempty"`
	// UsersHurt counts distinct users; UsersHurtUnguarded is their number without guardrails.
	UsersHurt          int          `json:"users_hurt"`
	UsersHurtUnguarded *int         `json:"users_hurt_none,omitempty"`
	Cohorts            []CohortHarm `json:"cohorts,omitempty"`
}

// CohortHarm is the harm to one cohort, over the faulty seeds.
type CohortHarm struct {
	Cohort   string `json:"cohort"`
	Requests int    `json:"requests"`
	Harm     int    `json:"harm"`
	// ByGuardrails is the part of Harm that the guardrails caused.
	ByGuardrails int  `json:"by_guardrails,omitempty"`
	Unguarded    *int `json:"none,omitempty"`
	// HarmRatio is the effective harm divided by Unguarded: the share of the harm that the
	// guardrails let through.
	HarmRatio *float64 `json:"left,omitempty"`
	Users     int      `json:"users,omitempty"`
	Hurt      int      `json:"hurt,omitempty"`
}

// Row is one run of the learner's guardrails.
type Row struct {
	// Run is the run's name, as in EventRef; Role is "faulty" or "healthy".
	Run     string  `json:"run"`
	Role    string  `json:"role"`
	Seed    uint64  `json:"seed"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`

	Released  *event.Seconds `json:"released,omitempty"`
	FirstBad  *event.Seconds `json:"first_bad,omitempty"`
	Detection *event.Seconds `json:"detection,omitempty"`
	Abort     *event.Seconds `json:"abort,omitempty"`
	LastBad   *event.Seconds `json:"last_bad,omitempty"`
	Promoted  *event.Seconds `json:"promoted,omitempty"`
	// End is the run's horizon.
	End event.Seconds `json:"end"`
	// MTTD is the time from the first bad request to its detection; MTTR, after a rollback, that to
	// the last bad request.
	MTTD *event.Seconds `json:"mttd,omitempty"`
	MTTR *event.Seconds `json:"mttr,omitempty"`

	// Weight of the canary in percent at the rollback.
	Weight *int `json:"weight_at_abort,omitempty"`
	Harm   int  `json:"harm"`
	// ByGuardrails is the part of Harm that the guardrails caused.
	ByGuardrails int `json:"harm_by_guardrails,omitempty"`
	// Unguarded, Reference and Bound are this seed's harm without guardrails, with the scenario's
	// solution, and with an ideal alarm.
	Unguarded *int `json:"harm_none,omitempty"`
	Reference *int `json:"harm_best,omitempty"`
	Bound     *int `json:"harm_bound,omitempty"`

	UsersHurt      int        `json:"users_hurt"`
	CanaryRequests int        `json:"canary_requests"`
	Share          float64    `json:"canary_share"`
	Track          []Exposure `json:"track,omitempty"`
	// Mesh is what the mesh did after the release; empty if the cluster cannot tell.
	Mesh   []MeshRow  `json:"mesh,omitempty"`
	Events []EventRef `json:"events,omitempty"`
}

// Exposure is the released version's share of the traffic in percent from a time on, as users were
// routed. Matched is set if a rule with conditions routed to it: then the share is what was
// observed.
type Exposure struct {
	At      event.Seconds `json:"at"`
	Weight  int           `json:"weight"`
	Matched bool          `json:"matched,omitempty"`
	// Silence is how long the canary got no request at first, longer than chance explains.
	Silence event.Seconds `json:"silence,omitempty"`
}

// Item is one line of the rubric.
type Item struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Points int    `json:"points"`
	Max    int    `json:"max"`
	// Essential items are needed to pass, each of them in full.
	Essential bool       `json:"essential,omitempty"`
	Reason    string     `json:"reason"`
	Hint      string     `json:"hint,omitempty"`
	Events    []EventRef `json:"events,omitempty"`
}

// EventRef names an event of a run.
type EventRef struct {
	Run string `json:"run"`
	Seq int    `json:"seq"`
}

// Precondition is something that the scenario asks for before the canary gets traffic.
type Precondition struct {
	Name   string     `json:"name"`
	Seen   bool       `json:"seen"`
	Events []EventRef `json:"events,omitempty"`
}

// Players are what played the runs.
type Players struct {
	Cluster  string            `json:"cluster"`
	Mesh     string            `json:"mesh"`
	Versions map[string]string `json:"versions,omitempty"`
	// ComparedIn is the cluster of the unguarded and reference runs, if it is another one.
	ComparedIn string `json:"compared_in,omitempty"`
}

// InSim reports whether the sim played the guardrails.
func (p Players) InSim() bool { return p.Cluster == "" || p.Cluster == sim }

// sim is the name of the simulated cluster in events.
const sim = "sim"
