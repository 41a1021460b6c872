package loadgen

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Bounds of a workload. Numbers of users leave room for the cohorts that get a new user with each arrival.
const (
	maxList  = 1000
	maxPairs = 64
	maxUsers = 1 << 31
	maxRate  = 1e7
)

// findings collects what is wrong, each with the path of its field.
type findings []error

func (f *findings) add(path, format string, args ...any) {
	*f = append(*f, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// Validate returns every finding, joined, each beginning with the path of its field; nil when a plan can be made.
func (w Workload) Validate() error {
	var f findings
	w.Rate.check(&f, "rate")
	checkRoutes(&f, w.Routes)
	checkCohorts(&f, w.Cohorts)
	for i, c := range w.Cohorts {
		c.check(&f, fmt.Sprintf("cohorts[%d]", i), w.Routes)
	}
	return errors.Join(f...)
}

// withDefaults returns a copy in which what may be left out is filled in.
func (w Workload) withDefaults() Workload {
	w.Routes, w.Cohorts = slices.Clone(w.Routes), slices.Clone(w.Cohorts)
	for i := range w.Routes {
		if w.Routes[i].Method == "" {
			w.Routes[i].Method = defaultMethod
		}
	}
	return w
}

func checkRoutes(f *findings, routes []Route) {
	if len(routes) == 0 || len(routes) > maxList {
		f.add("routes", "has %d entries; give 1 to %d", len(routes), maxList)
	}
	seen := map[string]bool{}
	for i, r := range routes {
		path := fmt.Sprintf("routes[%d]", i)
		checkName(f, path, r.Name, seen)
		if !strings.HasPrefix(r.Path, "/") {
			f.add(path+".path", "%q does not begin with /", r.Path)
		}
		if r.Method != "" && !isToken(r.Method) {
			f.add(path+".method", "%q is no HTTP method", r.Method)
		}
	}
}

func checkCohorts(f *findings, cohorts []Cohort) {
	if len(cohorts) == 0 || len(cohorts) > maxList {
		f.add("cohorts", "has %d entries; give 1 to %d", len(cohorts), maxList)
		return
	}
	share, users, seen := 0.0, 0, map[string]bool{}
	for i, c := range cohorts {
		checkName(f, fmt.Sprintf("cohorts[%d]", i), c.Name, seen)
		share += c.Share
		if c.Users > 0 {
			users = min(users+c.Users, maxUsers+1)
		}
	}
	if !(math.Abs(share-1) <= 1e-6) {
		f.add("cohorts", "shares sum to %g; make them sum to 1", share)
	}
	if users > maxUsers {
		f.add("cohorts", "more than %d users; leave users out for a new user with each arrival", maxUsers)
	}
}

// checkName wants a name that was not there before.
func checkName(f *findings, path, name string, seen map[string]bool) {
	switch {
	case name == "":
		f.add(path+".name", "is empty")
	case seen[name]:
		f.add(path+".name", "%q is there twice", name)
	}
	seen[name] = true
}

func (c Cohort) check(f *findings, path string, routes []Route) {
	if !(c.Share >= 0 && c.Share <= 1) {
		f.add(path+".share", "%g is not within 0 and 1", c.Share)
	}
	if c.Users < 0 || c.Users > maxUsers {
		f.add(path+".users", "%d is not within 0 and %d", c.Users, maxUsers)
	}
	checkPairs(f, path+".headers", c.Headers, "\r\n\x00")
	checkPairs(f, path+".cookies", c.Cookies, "\r\n\x00;")
	for i, h := range c.Headers {
		if strings.EqualFold(h.Name, cookieHeader) && len(c.Cookies) > 0 {
			f.add(fmt.Sprintf("%s.headers[%d]", path, i), "a Cookie header beside cookies; put it among the cookies")
		}
	}
	c.checkMix(f, path+".mix", routes)
}

func (c Cohort) checkMix(f *findings, path string, routes []Route) {
	sum := 0.0
	for _, name := range slices.Sorted(maps.Keys(c.Mix)) {
		if !slices.ContainsFunc(routes, func(r Route) bool { return r.Name == name }) {
			f.add(path, "route %q is not in routes", name)
		}
		weight := c.Mix[name]
		if !(weight >= 0 && weight <= maxRate) {
			f.add(path, "weight %g of route %q is not within 0 and %g", weight, name, maxRate)
		}
		sum += weight
	}
	if sum == 0 {
		f.add(path, "no route has a weight; give at least one")
	}
}

func checkPairs(f *findings, path string, pairs []Pair, forbidden string) {
	if len(pairs) > maxPairs {
		f.add(path, "has %d entries; at most %d", len(pairs), maxPairs)
	}
	for i, x := range pairs {
		if !isToken(x.Name) {
			f.add(fmt.Sprintf("%s[%d].name", path, i), "%q is no HTTP token", x.Name)
		}
		if strings.ContainsAny(x.Value, forbidden) {
			f.add(fmt.Sprintf("%s[%d].value", path, i), "%q has a character that ends it on the wire", x.Value)
		}
	}
}

// isToken follows RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
