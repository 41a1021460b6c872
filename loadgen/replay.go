package loadgen

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"coalmine/loadgen/accesslog"
)

// replayLog is a log as arrivals. Arrival Seq comes from lines[Seq].
type replayLog struct {
	arrivals []Arrival
	lines    []*accesslog.Line
}

// errNoLog is an error of the caller, who has to read the log before making a plan.
var errNoLog = errors.New("was not read; set Replay.Lines to its lines first")

// replay converts the lines of the log to arrivals and fills in the users of the cohorts. If lines
// match no cohort or no route, it adds one at the end of the list.
func (p *Plan) replay() error {
	log := p.workload.Replay
	if len(log.Lines) == 0 {
		if log.Lines == nil {
			return fmt.Errorf("replay: the log %q %w", log.Log, errNoLog)
		}
		return fmt.Errorf("replay: the log %q has no requests to replay", log.Log)
	}
	r := &replayLog{lines: inOrder(log.Lines)}
	for _, l := range r.lines {
		if !strings.HasPrefix(l.Target, "/") || !isToken(l.Method) {
			return fmt.Errorf("replay: line %d of the log %q has method %.20q and path %.60q, which are not valid; "+
				"remove the line",
				l.Number, log.Log, l.Method, l.Target)
		}
	}
	r.arrivals = make([]Arrival, len(r.lines))
	for i, at := range log.times(r.lines) {
		r.arrivals[i] = Arrival{At: at, Seq: uint64(i), Item: uint32(r.lines[i].Number)}
	}
	p.log = r
	p.findRoutes()
	p.findCohorts()
	p.findUsers()
	return nil
}

// inOrder sorts lines by time. Lines with equal times keep their order.
func inOrder(lines []accesslog.Line) []*accesslog.Line {
	list := make([]*accesslog.Line, len(lines))
	for i := range lines {
		list[i] = &lines[i]
	}
	slices.SortStableFunc(list, func(a, b *accesslog.Line) int { return a.At.Compare(b.At) })
	return list
}

// times returns the times of sorted lines, relative to the first one. Most logs have times in whole
// seconds, which would send all requests of a second at once; the n lines of a second of such a log
// are spread 1/n s apart, starting at that second.
func (r *Replay) times(lines []*accesslog.Line) []time.Duration {
	whole := !slices.ContainsFunc(lines, func(l *accesslog.Line) bool { return l.At.Nanosecond() != 0 })
	list := make([]time.Duration, len(lines))
	for i := 0; i < len(lines); {
		n := 1
		for whole && i+n < len(lines) && lines[i+n].At.Equal(lines[i].At) {
			n++
		}
		for k := range n {
			list[i+k] = r.scaled(since(lines[i], lines[0]) + time.Duration(int64(time.Second)*int64(k)/int64(n)))
		}
		i += n
	}
	return list
}

// maxTime is the longest duration.
const maxTime = time.Duration(math.MaxInt64)

// scaled divides a duration by the speed.
func (r *Replay) scaled(d time.Duration) time.Duration {
	if r.Speed == 0 || r.Speed == 1 {
		return d
	}
	if scaled := float64(d) / r.Speed; scaled < math.MaxInt64 {
		return time.Duration(scaled)
	}
	return maxTime
}

// Length returns how long the log takes to play: from its first line to one second after its last
// one in the log's time, divided by the speed. It is 0 for a log without lines.
func (r *Replay) Length() time.Duration {
	if len(r.Lines) == 0 {
		return 0
	}
	lines := inOrder(r.Lines)
	return r.scaled(since(lines[len(lines)-1], lines[0]) + time.Second)
}

// since returns the time between two lines, limited so that a second can be added.
func since(l, first *accesslog.Line) time.Duration {
	return min(l.At.Sub(first.At), maxTime-time.Second)
}

// findRoutes sets the route of each arrival by its path.
func (p *Plan) findRoutes() {
	router := p.workload.Router("")
	for i := range p.log.arrivals {
		route, ok := router.Route(p.log.lines[i].Method, p.log.lines[i].Target)
		if !ok {
			route = len(p.workload.Routes)
			if n := route - 1; n >= 0 && p.workload.Routes[n].Name == other {
				route = n
			} else {
				p.workload.Routes = append(p.workload.Routes, Route{Name: other, Method: defaultMethod, Path: "/*"})
			}
		}
		p.log.arrivals[i].Route = uint16(route)
	}
}

// findCohorts sets the cohort of each arrival to the first one that matches its line.
func (p *Plan) findCohorts() {
	var matchers []matcher
	for _, c := range p.workload.Cohorts {
		var m matcher
		if c.Match != nil {
			m, _ = c.Match.compile()
		}
		matchers = append(matchers, m)
	}
	for i := range p.log.arrivals {
		cohort := slices.IndexFunc(matchers, func(m matcher) bool { return m.has(p.log.lines[i]) })
		if cohort < 0 {
			cohort = len(matchers)
			p.workload.Cohorts = append(p.workload.Cohorts, Cohort{Name: other})
			matchers = append(matchers, matcher{}) // without match, the cohort takes all remaining lines
		}
		p.log.arrivals[i].Cohort = uint16(cohort)
	}
}

// MaxMatched is how many bytes of a field are matched; no field of a real client is longer, and the
// lines of a log may be 64 KiB long.
const MaxMatched = 512

// has reports whether all parts match somewhere in the line. The path is matched without its query.
func (m matcher) has(l *accesslog.Line) bool {
	path, _, _ := strings.Cut(l.Target, "?")
	matches := func(r *regexp.Regexp, text string) bool {
		return r == nil || r.MatchString(text[:min(len(text), MaxMatched)])
	}
	return matches(m.userAgent, l.UserAgent) && matches(m.user, l.User) && matches(m.path, path) &&
		matches(m.referer, l.Referer)
}

// clientKey distinguishes the users of a log.
type clientKey struct {
	cohort                  uint16
	client, user, userAgent string
}

// findUsers numbers users in order of appearance, cohort by cohort.
func (p *Plan) findUsers() {
	p.users = make([]userRange, len(p.workload.Cohorts))
	callers := map[clientKey]uint32{}
	for i := range p.log.arrivals {
		a, l := &p.log.arrivals[i], p.log.lines[i]
		who := clientKey{a.Cohort, l.Client, l.User, l.UserAgent}
		number, known := callers[who]
		if !known {
			number = p.users[a.Cohort].count
			p.users[a.Cohort].count++
			callers[who] = number
		}
		a.User = number
	}
	first := uint32(0)
	for i := range p.users {
		p.users[i].first = first
		first += p.users[i].count
	}
	p.agents = make([]string, first)
	for i := range p.log.arrivals {
		a := &p.log.arrivals[i]
		a.User += p.users[a.Cohort].first
		if agent := p.log.lines[i].UserAgent; isHeaderValue(agent) {
			p.agents[a.User] = agent
		}
	}
}

// Referer returns the Referer header of an arrival: that of its log line, or "".
func (p *Plan) Referer(a Arrival) string {
	if l := p.line(a); l != nil && isHeaderValue(l.Referer) {
		return l.Referer
	}
	return ""
}

// maxHeaderValue limits what is taken from a log.
const maxHeaderValue = 4096

// isHeaderValue reports whether text from a log can be sent as the value of a header.
func isHeaderValue(text string) bool {
	return len(text) <= maxHeaderValue && text != "-" && strings.TrimSpace(text) == text &&
		!strings.ContainsFunc(text, isControl)
}

// line returns the log line of an arrival, or nil if the plan replays no log.
func (p *Plan) line(a Arrival) *accesslog.Line {
	if p.log == nil || a.Seq >= uint64(len(p.log.lines)) {
		return nil
	}
	return p.log.lines[a.Seq]
}

// count returns the number of arrivals before a time.
func (r *replayLog) count(end time.Duration) int {
	n, _ := slices.BinarySearchFunc(r.arrivals, end, func(a Arrival, end time.Duration) int {
		return cmp.Compare(a.At, end)
	})
	return n
}
