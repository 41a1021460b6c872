package app

import (
	"regexp"
	"sync/atomic"
)

// matches decides which faults match by header and cookie, and remembers it for each user.
type matches struct {
	tests []test
	// asks has the faults that have tests.
	asks  uint64
	pages [maxPages]atomic.Pointer[page]
}

// page remembers the answers for a range of users: bit i for fault i, and bit known when they were worked out.
type page [pageUsers]atomic.Uint64

// Users beyond the pages (those of cohorts with a new user for each arrival) are worked out each time: remembering them
// would help nobody, for they do not return.
const (
	pageUsers = 1 << 12
	maxPages  = 1 << 10
	known     = 1 << maxFaults
)

// test is one header or cookie of one fault.
type test struct {
	bit   uint64
	name  string
	value *regexp.Regexp
	// cookie tells that a cookie is meant. read is how the vocabulary gives the value.
	cookie bool
	read   func(cohort uint16, user uint32, name string) string
}

// holds tells whether a value is what the test wants. A header or cookie that is not sent matches nothing.
func (t *test) holds(value string) bool { return value != "" && t.value.MatchString(value) }

func newMatches(faults []fault, v Vocabulary) *matches {
	m := &matches{}
	for i, f := range faults {
		m.expect(i, f.when.Header, false, v.Header)
		m.expect(i, f.when.Cookie, true, v.Cookie)
	}
	return m
}

// expect adds the test of a fault; nil for none.
func (m *matches) expect(i int, n *NameMatch, cookie bool, read func(uint16, uint32, string) string) {
	if n == nil {
		return
	}
	bit := uint64(1) << i
	m.asks |= bit
	m.tests = append(m.tests, test{bit, n.Name, regexp.MustCompile(whole(n.Value)), cookie, read})
}

// whole makes an expression that must match a value from end to end.
func whole(expression string) string { return `\A(?:` + expression + `)\z` }

// of returns the faults with tests that all hold for a user.
func (m *matches) of(cohort uint16, user uint32) uint64 {
	if user >= pageUsers*maxPages {
		return m.compute(cohort, user)
	}
	slot := &m.page(user / pageUsers)[user%pageUsers]
	if kept := slot.Load(); kept != 0 {
		return kept &^ known
	}
	found := m.compute(cohort, user)
	slot.Store(found | known)
	return found
}

// page returns a page, made on first use. When two goroutines make it at once, one of them wins.
func (m *matches) page(i uint32) *page {
	if p := m.pages[i].Load(); p != nil {
		return p
	}
	m.pages[i].CompareAndSwap(nil, new(page))
	return m.pages[i].Load()
}

// compute asks the vocabulary.
func (m *matches) compute(cohort uint16, user uint32) uint64 {
	found := m.asks
	for i := range m.tests {
		if t := &m.tests[i]; !t.holds(t.read(cohort, user, t.name)) {
			found &^= t.bit
		}
	}
	return found
}

// missing has those of some faults with a test that does not hold for what was sent.
func (m *matches) missing(ask uint64, sent Sent) uint64 {
	var missing uint64
	for i := range m.tests {
		t := &m.tests[i]
		if t.bit&ask&^missing == 0 {
			continue
		}
		read := sent.Header
		if t.cookie {
			read = sent.Cookie
		}
		if !t.holds(read(t.name)) {
			missing |= t.bit
		}
	}
	return missing
}
