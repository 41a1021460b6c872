package loadgen

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"coalmine/loadgen/accesslog"
)

// Bounds of the speed of a replay.
const (
	minSpeed = 1e-6
	maxSpeed = 1e6
)

// other is the name of the cohort and route of log lines that match nothing else.
const other = "other"

// checkReplay rejects what the log determines by itself.
func (w Workload) checkReplay(f *findings) {
	r := w.Replay
	if w.Rate.shapes() > 0 {
		f.add("rate", "cannot be combined with replay: the log determines when requests are sent; remove it and use "+
			"replay.speed")
	}
	if w.Bursts != nil {
		f.add("bursts", "cannot be combined with replay: the log determines when requests are sent; remove them")
	}
	if r.Log == "" && r.Lines == nil {
		f.add("replay.log", "is empty; write the path of an access log")
	}
	if r.Format != "" && !slices.Contains(accesslog.Formats(), r.Format) {
		f.add("replay.format", "%q is not one of %s; omit it to detect the format", r.Format,
			strings.Join(accesslog.Formats(), ", "))
	}
	if !(r.Speed == 0 || r.Speed >= minSpeed && r.Speed <= maxSpeed) {
		f.add("replay.speed", "%g is not between %g and %g; 2 plays the log twice as fast", r.Speed, minSpeed, maxSpeed)
	}
	for i, route := range w.Routes {
		if route.Name == other {
			f.add(fmt.Sprintf("routes[%d].name", i), "%q is reserved for log lines that match no route; use "+
				"another name", other)
		}
	}
}

// checkReplayed rejects what the log determines about a cohort.
func (c *Cohort) checkReplayed(f *findings, path string) {
	for _, x := range []struct {
		name string
		set  bool
	}{
		{"share", c.Share != 0}, {"users", c.Users != 0}, {"mix", c.Mix != nil}, {"zipf", c.Zipf != nil},
		{"session", c.Session != nil}, {"items", c.Items != nil}, {"cacheBuster", c.CacheBuster != ""},
	} {
		if x.set {
			f.add(path+"."+x.name, "cannot be combined with replay: the log determines who requests what; remove it")
		}
	}
	if c.Name == other && c.Match != nil {
		f.add(path+".name", "%q is reserved for log lines that match no cohort; use another name, or "+
			"remove match", other)
	}
	if c.Match != nil {
		_, err := c.Match.compile()
		for _, e := range err {
			f.add(path+".match."+e.field, "%v; write a regular expression in Go's syntax (RE2)", e.err)
		}
	}
}

// matcher is the compiled form of a [LogMatch]. Nil parts match everything.
type matcher struct{ userAgent, user, path, referer *regexp.Regexp }

// partError is an error in a field of a LogMatch.
type partError struct {
	field string
	err   error
}

// compile returns the parts that compile, and the errors of the others.
func (m *LogMatch) compile() (c matcher, wrong []partError) {
	for _, x := range []struct {
		part, text string
		to         **regexp.Regexp
	}{
		{"userAgent", m.UserAgent, &c.userAgent}, {"user", m.User, &c.user}, {"path", m.Path, &c.path},
		{"referer", m.Referer, &c.referer},
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
