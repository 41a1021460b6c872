package loadgen

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Bounds of the speed of a replay.
const (
	minSpeed = 1e-6
	maxSpeed = 1e6
)

// other is the name of the cohort and of the route that lines of a log get when nothing else fits.
const other = "other"

// checkReplay looks at what a log says by itself.
func (w Workload) checkReplay(f *findings) {
	r := w.Replay
	if w.Rate.shapes() > 0 {
		f.add("rate", "is of no use beside replay: the log says when requests come; leave it out, and use replay.speed")
	}
	if w.Bursts != nil {
		f.add("bursts", "are of no use beside replay: the log says when requests come; leave them out")
	}
	if r.Log == "" && r.Lines == nil {
		f.add("replay.log", "is empty; name the file of an access log")
	}
	if !slices.Contains([]string{"", "common", "combined", "json"}, r.Format) {
		f.add("replay.format", "%q is none of common, combined and json; leave it out to find out", r.Format)
	}
	if !(r.Speed == 0 || r.Speed >= minSpeed && r.Speed <= maxSpeed) {
		f.add("replay.speed", "%g is not within %g and %g; 2 plays the log twice as fast", r.Speed, minSpeed, maxSpeed)
	}
	for i, route := range w.Routes {
		if route.Name == other {
			f.add(fmt.Sprintf("routes[%d].name", i), "%q is for lines of the log that no route fits; take another name", other)
		}
	}
}

// checkReplayed refuses what a log says of a cohort by itself.
func (c *Cohort) checkReplayed(f *findings, path string) {
	for _, x := range []struct {
		name string
		set  bool
	}{
		{"share", c.Share != 0}, {"users", c.Users != 0}, {"mix", c.Mix != nil}, {"zipf", c.Zipf != nil},
		{"session", c.Session != nil}, {"items", c.Items != nil}, {"cacheBuster", c.CacheBuster != ""},
	} {
		if x.set {
			f.add(path+"."+x.name, "is of no use beside replay: the log says who comes and what for; leave it out")
		}
	}
	if c.Name == other && c.Match != nil {
		f.add(path+".name", "%q is for lines of the log that no cohort matches; take another name, or no match", other)
	}
	if c.Match != nil {
		_, err := c.Match.compile()
		for _, e := range err {
			f.add(path+".match."+e.field, "%v; write a regular expression as in Go (RE2)", e.err)
		}
	}
}

// matcher is a [LogMatch], ready for use; nil parts match everything.
type matcher struct{ userAgent, user, path, referer *regexp.Regexp }

// partError is what is wrong with a part of a LogMatch.
type partError struct {
	field string
	err   error
}

// compile returns the parts that have no error.
func (m *LogMatch) compile() (c matcher, wrong []partError) {
	for _, x := range []struct {
		part, text string
		to         **regexp.Regexp
	}{
		{"userAgent", m.UserAgent, &c.userAgent}, {"user", m.User, &c.user}, {"path", m.Path, &c.path}, {"referer", m.Referer, &c.referer},
	} {
		if x.text == "" {
			continue
		}
		var err error
		if len(x.text) > maxText {
			err = errors.New("is longer than 1000 characters")
		} else if *x.to, err = regexp.Compile(x.text); err != nil {
			err = errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		if err != nil {
			wrong = append(wrong, partError{x.part, err})
		}
	}
	return c, wrong
}
