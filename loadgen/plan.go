package loadgen

import (
	"errors"
	"time"
)

// Plan is the list of arrivals of a workload. It is not stored: a [Cursor] computes it arrival by arrival.
type Plan struct{}

// NewPlan returns the plan of a valid workload: a pure function of workload, seed and duration. A longer duration extends
// the plan of a shorter one.
func NewPlan(w Workload, seed uint64, d time.Duration) (*Plan, error) {
	return nil, errors.New("loadgen: not yet")
}

// Arrivals returns a cursor before the first arrival. Cursors of one plan are independent of each other.
func (p *Plan) Arrivals() *Cursor { return nil }

// Workload returns what the plan was made from, with defaults filled in.
func (p *Plan) Workload() Workload { return Workload{} }

// Users returns the range of user numbers of a cohort.
func (p *Plan) Users(cohort int) (first, count uint32) { return 0, 0 }

// Headers returns what a user of a cohort sends, cookies joined into one Cookie header.
func (p *Plan) Headers(cohort uint16, user uint32) []Pair { return nil }

// Header returns the value of one header (Cookie included), "" for none. Names are compared without regard to case.
func (p *Plan) Header(cohort uint16, user uint32, name string) string { return "" }

// Cookie returns the value of one cookie, "" for none.
func (p *Plan) Cookie(cohort uint16, user uint32, name string) string { return "" }

// PerUser tells whether headers or cookies of a cohort differ between its users.
func (p *Plan) PerUser(cohort uint16) bool { return false }

// Digest is a hash over every arrival of the plan.
func (p *Plan) Digest() string { return "" }

// Cursor walks over a plan.
type Cursor struct{}

// Next returns the next arrival, false at the end of the plan.
func (c *Cursor) Next() (Arrival, bool) { return Arrival{}, false }

// Peek returns what Next would, without moving on.
func (c *Cursor) Peek() (Arrival, bool) { return Arrival{}, false }

// Validate returns every finding, joined; each names the field.
func (w Workload) Validate() error { return nil }

// At returns the rate at a time since the begin of traffic, in requests per second.
func (c Curve) At(t time.Duration) float64 { return 0 }

// Integral returns the expected number of arrivals in [0, t).
func (c Curve) Integral(t time.Duration) float64 { return 0 }

// Mean returns the mean rate over [0, t), in requests per second.
func (c Curve) Mean(t time.Duration) float64 { return 0 }
