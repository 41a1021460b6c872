package score

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"coalmine/lab/scenario"
)

// check is one thing that a rubric can ask for.
type check struct {
	id string
	// title is the card's title if the scenario gives none.
	title string
	// limit says what the item's Limit means; "" if the check has none. maxLimit is its greatest
	// value.
	limit    string
	maxLimit float64
	grade    func(*trial, scenario.RubricItem) grade
}

// checks are all checks that a rubric can ask for.
func checks() []check {
	return []check{
		{"caught", "Every faulty release is caught", "", 0, (*trial).gradeCaught},
		{"healthy-promoted", "Every healthy release is delivered", "", 0, (*trial).gradeDelivered},
		{"harm-share", "Little of the harm gets through", "share of the harm without guardrails, 0 to 1", 1,
			(*trial).gradeHarm},
		{"detect-within", "The fault is noticed soon", "seconds from the first bad request", 86400,
			(*trial).gradeDetection},
		{"abort-weight", "The rollback comes at a low weight", "canary weight in percent", 100, (*trial).gradeWeight},
		{"tested-weight", "The release is tested at a high weight before everyone gets it",
			"canary weight in percent", 100, (*trial).gradeTested},
		{"preconditions", "The preconditions are checked before canary traffic", "", 0, (*trial).gradePreconditions},
		{"rehearsed", "A rollback drill passed before canary traffic", "", 0, (*trial).gradeDrill},
		{"mtls", "mTLS is checked before canary traffic", "", 0, (*trial).gradeMTLS},
		{"policy", "Policy is checked before canary traffic", "", 0, (*trial).gradePolicy},
		{"experiment-bounded", "The experiment has an owner, a hypothesis and an end", "", 0, (*trial).gradeExperiment},
		{"sample-ratio", "The canary gets the users it should get", "share of the exposed cohort, 0 to 1", 1,
			(*trial).gradeRatio},
		{"cohort-harm", "No cohort is hurt more than the others",
			"share of the worst cohort's harm without guardrails", 1, (*trial).gradeCohorts},
		{"no-waiting", "Nothing waits for a person while users are hurt", "", 0, (*trial).gradeWaiting},
	}
}

// ItemIDs lists the checks that a rubric can ask for.
func ItemIDs() []string {
	var ids []string
	for _, c := range checks() {
		ids = append(ids, c.id)
	}
	return ids
}

// grade is the result of a check: how many of how many runs, or parts, pass it.
type grade struct {
	passed, of int
	reason     string
	events     []EventRef
	// unmeasured is set if a run could not be judged.
	unmeasured bool
}

// grade gives an item its points: all of them times the share that passed, rounded down.
// Full reports whether every run passes it.
func (t *trial) grade(i scenario.RubricItem) (item Item, full, unmeasured bool) {
	item = Item{ID: i.ID, Title: i.Title, Max: max(0, i.Points), Essential: i.Essential}
	c, ok := findCheck(i.ID)
	if !ok {
		item.Reason = "this version of coalmine has no such check"
		return item, false, false
	}
	if item.Title == "" {
		item.Title = c.title
	}
	g := c.grade(t, i)
	item.Reason, item.Events = g.reason, g.events
	if g.of > 0 {
		item.Points = item.Max * g.passed / g.of
		full = g.passed == g.of
	}
	if t.nothingDelivered() && item.Points > 0 {
		item.Points, full = 0, false
		item.Reason = "no healthy release was delivered, so nothing counts: " + item.Reason
	}
	if item.Points < item.Max && g.of > 0 {
		item.Hint = i.Hint
	}
	return item, full, g.unmeasured
}

// nothingDelivered reports whether healthy releases were tried and none was delivered: guardrails
// that stop everything get no points.
func (t *trial) nothingDelivered() bool {
	tried := false
	for _, r := range t.healthy {
		if r.Verdict == Promoted {
			return false
		}
		tried = tried || r.Verdict != Inconclusive
	}
	return tried
}

func findCheck(id string) (check, bool) {
	all := checks()
	i := slices.IndexFunc(all, func(c check) bool { return c.id == id })
	if i < 0 {
		return check{}, false
	}
	return all[i], true
}

// ValidateRubric returns the joined errors of a rubric: unknown items, duplicate items, and
// parameters out of range.
func ValidateRubric(r scenario.Rubric) error {
	var errs []error
	seen := map[string]bool{}
	for n, i := range r.Items {
		if err := validateItem(i, r); err != nil {
			errs = append(errs, fmt.Errorf("rubric item %d: %w", n+1, err))
		}
		if seen[i.ID] {
			errs = append(errs, fmt.Errorf("rubric item %d: %q is listed twice: keep one", n+1, i.ID))
		}
		seen[i.ID] = true
	}
	if !(r.MaxHarm >= 0 && r.MaxHarm <= 1) { // NaN is neither
		errs = append(errs, fmt.Errorf("rubric: maxHarm is %g: write a share between 0 and 1", r.MaxHarm))
	}
	if r.MinCanaryRequests < 0 {
		errs = append(errs, fmt.Errorf("rubric: minCanaryRequests is %d: write 0 or more", r.MinCanaryRequests))
	}
	for _, name := range r.Preconditions {
		if _, ok := preconditions()[name]; !ok {
			errs = append(errs, fmt.Errorf("rubric: precondition %q is unknown: write mtls, policy or rehearsal", name))
		}
	}
	return errors.Join(errs...)
}

func validateItem(i scenario.RubricItem, r scenario.Rubric) error {
	c, ok := findCheck(i.ID)
	switch {
	case !ok:
		return fmt.Errorf("%q is unknown: write one of %s", i.ID, strings.Join(ItemIDs(), ", "))
	case i.Points < 0:
		return fmt.Errorf("%s: points are %d: write 0 or more", i.ID, i.Points)
	case c.limit == "" && i.Limit != 0:
		return fmt.Errorf("%s: takes no limit: remove it", i.ID)
	case !(i.Limit >= 0) || c.limit != "" && i.Limit > c.maxLimit:
		return fmt.Errorf("%s: limit is %g: write the %s (at most %g)", i.ID, i.Limit, c.limit, c.maxLimit)
	case i.ID == "preconditions" && len(r.Preconditions) == 0:
		return fmt.Errorf("preconditions: the rubric lists none: name them, or remove the item")
	case i.Limit == 0 && (slices.Contains([]string{"detect-within", "cohort-harm", "tested-weight"}, i.ID) ||
		i.ID == "harm-share" && r.MaxHarm == 0):
		return fmt.Errorf("%s: limit is missing: write the %s", i.ID, c.limit)
	}
	return nil
}
