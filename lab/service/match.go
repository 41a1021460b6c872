package service

import (
	"regexp"
	"sync/atomic"
)

// matchCache computes which faults match by header and cookie, and caches the result for each user.
type matchCache struct {
	conditions []condition
	// conditional is the set of faults that have conditions.
	conditional uint64
	pages       [maxPages]atomic.Pointer[page]
}

// page caches the matches of a range of users: bit i for fault i, and computedBit once computed.
type page [pageUsers]atomic.Uint64

// Matches of users beyond the pages are computed each time. Such users belong to cohorts with a new
// user for each arrival, so caching would not help.
const (
	pageUsers   = 1 << 12
	maxPages    = 1 << 10
	computedBit = 1 << maxFaults
)

// condition is the condition of one fault on one header or cookie.
type condition struct {
	bit     uint64
	name    string
	pattern *regexp.Regexp
	// cookie is true for a cookie, false for a header.
	// value is the vocabulary's function for it.
	cookie bool
	value  func(cohort uint16, user uint32, name string) string
}

// matches reports whether a value fulfils the condition. A missing header or cookie never does.
func (t *condition) matches(value string) bool { return value != "" && t.pattern.MatchString(value) }

func newMatches(faults []fault, v Vocabulary) *matchCache {
	m := &matchCache{}
	for i, f := range faults {
		m.addCondition(i, f.when.Header, false, v.Header)
		m.addCondition(i, f.when.Cookie, true, v.Cookie)
	}
	return m
}

// addCondition adds the condition of a fault, if n is not nil.
func (m *matchCache) addCondition(i int, n *NameMatch, cookie bool, read func(uint16, uint32, string) string) {
	if n == nil {
		return
	}
	bit := uint64(1) << i
	m.conditional |= bit
	m.conditions = append(m.conditions, condition{bit, n.Name, regexp.MustCompile(anchored(n.Value)), cookie, read})
}

// anchored returns an expression that matches the whole value.
func anchored(expression string) string { return `\A(?:` + expression + `)\z` }

// lookup returns the faults whose conditions all hold for a user.
func (m *matchCache) lookup(cohort uint16, user uint32) uint64 {
	if user >= pageUsers*maxPages {
		return m.compute(cohort, user)
	}
	slot := &m.page(user / pageUsers)[user%pageUsers]
	if kept := slot.Load(); kept != 0 {
		return kept &^ computedBit
	}
	found := m.compute(cohort, user)
	slot.Store(found | computedBit)
	return found
}

// page returns a page, which is created on first use. If two goroutines create it at once, one
// wins.
func (m *matchCache) page(i uint32) *page {
	if p := m.pages[i].Load(); p != nil {
		return p
	}
	m.pages[i].CompareAndSwap(nil, new(page))
	return m.pages[i].Load()
}

// compute evaluates the conditions with the vocabulary's values.
func (m *matchCache) compute(cohort uint16, user uint32) uint64 {
	found := m.conditional
	for i := range m.conditions {
		if t := &m.conditions[i]; !t.matches(t.value(cohort, user, t.name)) {
			found &^= t.bit
		}
	}
	return found
}

// missing returns the faults of the set ask with a condition that the headers do not fulfil.
func (m *matchCache) missing(ask uint64, headers RequestHeaders) uint64 {
	var missing uint64
	for i := range m.conditions {
		t := &m.conditions[i]
		if t.bit&ask&^missing == 0 {
			continue
		}
		value := headers.Header
		if t.cookie {
			value = headers.Cookie
		}
		if !t.matches(value(t.name)) {
			missing |= t.bit
		}
	}
	return missing
}
