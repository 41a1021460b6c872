package loadgen

import (
	"slices"
	"strconv"
	"strings"
)

// CohortMatcher tells cohorts by what their requests look like. It is compiled, for servers that ask for each request, and may be
// used by several goroutines at once.
type CohortMatcher struct{ cohorts []cohortTemplate }

// cohortTemplate is what all requests of a cohort have.
type cohortTemplate struct {
	cohort           int
	headers, cookies []template
	// first and last user of the cohort.
	first, last uint64
}

// template is the value of a header or cookie, cut where the user's number stands.
type template struct {
	name  string
	parts []string
	// fixed is the length of the parts together.
	fixed int
}

// CohortMatcher compiles the headers and cookies of the cohorts.
func (w *Workload) CohortMatcher() *CohortMatcher {
	r := &CohortMatcher{}
	ranges := w.userRanges()
	for i, c := range w.Cohorts {
		l := cohortTemplate{cohort: i, first: uint64(ranges[i].first), headers: templates(c.Headers), cookies: templates(c.Cookies)}
		l.last = l.first + uint64(ranges[i].count) - 1
		if w.Replay != nil { // the log knows how many users there are
			l.first, l.last = 0, maxUser
		}
		r.cohorts = append(r.cohorts, l)
	}
	slices.SortStableFunc(r.cohorts, func(a, b cohortTemplate) int {
		return len(b.headers) + len(b.cookies) - len(a.headers) - len(a.cookies)
	})
	return r
}

func templates(pairs []Pair) []template {
	var list []template
	for _, x := range pairs {
		parts := strings.Split(x.Value, userPlaceholder)
		list = append(list, template{x.Name, parts, len(strings.Join(parts, ""))})
	}
	return list
}

// Cohort returns the cohort that a request with headers and cookies looks like, and its user where the values tell it; false for
// no cohort. All headers and cookies of the cohort must be there, with the values that its users send; of several such cohorts it
// is the one with most of them, then the first. A header or cookie that is not there has the value "".
func (r *CohortMatcher) Cohort(header, cookie func(name string) string) (cohort int, user uint32, ok bool) {
	for i := range r.cohorts {
		l := &r.cohorts[i]
		who := unknownUser
		if l.match(l.headers, header, &who) && l.match(l.cookies, cookie, &who) {
			if who == unknownUser {
				who = 0
			}
			return l.cohort, uint32(who), true
		}
	}
	return 0, 0, false
}

// maxUser is the largest number of a user, unknownUser beyond it.
const (
	maxUser     = uint64(1<<32 - 1)
	unknownUser = maxUser + 1
)

// match tells whether all templates fit one user, and who that is.
func (l *cohortTemplate) match(list []template, value func(string) string, user *uint64) bool {
	for i := range list {
		if !list[i].match(value(list[i].name), user) {
			return false
		}
	}
	return *user == unknownUser || *user >= l.first && *user <= l.last
}

// match compares a value with the template for a user, whom it learns where the template has the mark.
func (t *template) match(value string, user *uint64) bool {
	marks := len(t.parts) - 1
	if marks == 0 {
		return value == t.parts[0]
	}
	// All marks stand for one number, so the length of the value is that of the number.
	digits := (len(value) - t.fixed) / marks
	begin := len(t.parts[0])
	if digits < 1 || digits*marks != len(value)-t.fixed {
		return false
	}
	number := value[begin : begin+digits]
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || number[0] == '0' && digits > 1 || *user != unknownUser && *user != n {
		return false
	}
	for i, part := range t.parts {
		rest, ok := strings.CutPrefix(value, part)
		if !ok || i < marks && !strings.HasPrefix(rest, number) {
			return false
		}
		if value = rest; i < marks {
			value = rest[digits:]
		}
	}
	*user = n
	return true
}

// CohortOf returns the cohort that a request with headers and cookies looks like; false for none. See [Recogniser.Cohort], which
// is for whoever asks more than once.
func (w *Workload) CohortOf(header, cookie func(name string) string) (cohort int, ok bool) {
	cohort, _, ok = w.CohortMatcher().Cohort(header, cookie)
	return cohort, ok
}
