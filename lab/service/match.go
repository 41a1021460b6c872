package service

import (
	"regexp"
	"sync/atomic"
)

// matchCache decides which faults match by header and cookie, and remembers it for each user.
type matchCache struct {
	conditions []condition
	// conditional has the faults that have tests.
	conditional uint64
	pages       [maxPages]atomic.Pointer[page]
}

// page remembers the answers for a range of users: bit i for fault i, and bit known when they were worked out.
type page [pageUsers]atomic.Uint64

// Users beyond the pages (those of cohorts with a new user for each arrival) are worked out each time: remembering them
// would help nobody, for they do not return.
const (
	pageUsers   = 1 << 12
	maxPages    = 1 << 10
	computedBit = 1 << maxFaults
)

// condition is one header or cookie of one fault.
type condition struct {
	bit     uint64
	name    string
	pattern *regexp.Regexp
	// cookie tells that a cookie is meant. read is how the vocabulary gives the value.
	cookie bool
	value  func(cohort uint16, user uint32, name string) string
}

// matches tells whether a value is what the test wants. A header or cookie that is not sent matches nothing.
func (t *condition) matches(value string) bool { return value != "" && t.pattern.MatchString(value) }

func newMatches(faults []fault, v Vocabulary) *matchCache {
	m := &matchCache{}
	for i, f := range faults {
		m.addCondition(i, f.when.Header, false, v.Header)
		m.addCondition(i, f.when.Cookie, true, v.Cookie)
	}
	return m
}

// addCondition adds the test of a fault; nil for none.
func (m *matchCache) addCondition(i int, n *NameMatch, cookie bool, read func(uint16, uint32, string) string) {
	if n == nil {
		return
	}
	bit := uint64(1) << i
	m.conditional |= bit
	m.conditions = append(m.conditions, condition{bit, n.Name, regexp.MustCompile(anchored(n.Value)), cookie, read})
}

// anchored makes an expression that must match a value from end to end.
func anchored(expression string) string { return `\A(?:` + expression + `)\z` }

// lookup returns the faults with tests that all hold for a user.
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

// page returns a page, made on first use. When two goroutines make it at once, one of them wins.
func (m *matchCache) page(i uint32) *page {
	if p := m.pages[i].Load(); p != nil {
		return p
	}
	m.pages[i].CompareAndSwap(nil, new(page))
	return m.pages[i].Load()
}

// compute asks the vocabulary.
func (m *matchCache) compute(cohort uint16, user uint32) uint64 {
	found := m.conditional
	for i := range m.conditions {
		if t := &m.conditions[i]; !t.matches(t.value(cohort, user, t.name)) {
			found &^= t.bit
		}
	}
	return found
}

// missing has those of some faults with a test that does not hold for what was sent.
func (m *matchCache) missing(ask uint64, sent RequestHeaders) uint64 {
	var missing uint64
	for i := range m.conditions {
		t := &m.conditions[i]
		if t.bit&ask&^missing == 0 {
			continue
		}
		read := sent.Header
		if t.cookie {
			read = sent.Cookie
		}
		if !t.matches(read(t.name)) {
			missing |= t.bit
		}
	}
	return missing
}
