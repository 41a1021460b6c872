package loadgen

import (
	"slices"
	"strconv"
	"strings"
)

// CohortMatcher recognises a request's cohort by its headers and cookies. It is compiled once, for
// servers that match every request, and is safe for concurrent use.
type CohortMatcher struct{ cohorts []cohortTemplate }

// cohortTemplate is what all requests of a cohort have in common.
type cohortTemplate struct {
	cohort           int
	headers, cookies []template
	// first and last are the cohort's range of users.
	first, last uint64
}

// template is the value of a header or cookie, split at the placeholder for the user's number.
type template struct {
	name  string
	parts []string
	// fixed is the total length of the parts.
	fixed int
}

// CohortMatcher compiles the headers and cookies of the cohorts.
func (w *Workload) CohortMatcher() *CohortMatcher {
	r := &CohortMatcher{}
	ranges := w.userRanges()
	for i, c := range w.Cohorts {
		l := cohortTemplate{cohort: i, first: uint64(ranges[i].first), headers: templates(c.Headers),
			cookies: templates(c.Cookies)}
		l.last = l.first + uint64(ranges[i].count) - 1
		if w.Replay != nil { // the number of users comes from the log
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

// Cohort returns the cohort whose headers and cookies a request has, and the user where the values
// contain one. It returns false if no cohort matches. A request matches a cohort if it has all of
// the cohort's headers and cookies with the values that its users send. Of several such cohorts the
// one with most headers and cookies wins, then the first. A missing header or cookie has the value
// "".
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

// maxUser is the largest user number; unknownUser lies beyond it.
const (
	maxUser     = uint64(1<<32 - 1)
	unknownUser = maxUser + 1
)

// match reports whether all templates match for the same user, and returns that user.
func (l *cohortTemplate) match(list []template, value func(string) string, user *uint64) bool {
	for i := range list {
		if !list[i].match(value(list[i].name), user) {
			return false
		}
	}
	return *user == unknownUser || *user >= l.first && *user <= l.last
}

// match compares value with the template for *user. If the template has placeholders and *user is
// unknown, it sets *user.
func (t *template) match(value string, user *uint64) bool {
	marks := len(t.parts) - 1
	if marks == 0 {
		return value == t.parts[0]
	}
	// All placeholders stand for the same number, so the length of the value determines that of the
	// number.
	digits := (len(value) - t.fixed) / marks
	start := len(t.parts[0])
	if digits < 1 || digits*marks != len(value)-t.fixed {
		return false
	}
	number := value[start : start+digits]
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

// CohortOf returns the cohort whose headers and cookies a request has, or false for none. Callers
// that match more than one request should use [CohortMatcher.Cohort].
func (w *Workload) CohortOf(header, cookie func(name string) string) (cohort int, ok bool) {
	cohort, _, ok = w.CohortMatcher().Cohort(header, cookie)
	return cohort, ok
}
