package scenario

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"coalmine/lab/input"
	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// WorkloadFromLog derives a workload from an access log alone, which it replays at the given speed
// (0 means 1). Format is one of [accesslog.Formats]; "" detects it.
//
// Its routes are the most frequent pairs of method and path. A number, a UUID or a long hexadecimal
// number in a path becomes {item}; a path with two of them becomes a prefix route. Its cohorts are
// bots, mobile and web, distinguished by user agent.
func WorkloadFromLog(ctx context.Context, name, format string, speed float64) (*Workload, error) {
	f, err := input.OpenFile(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	log, err := accesslog.Read(f, format)
	if err != nil {
		return nil, Problems{{File: name, Message: err.Error()}}
	}
	w := &Workload{
		Name:    nameFromFile(filepath.Base(name)),
		Summary: fmt.Sprintf("Replays %s, a log in %s format.", filepath.Base(name), log.Format),
		Traffic: loadgen.Workload{
			Routes: routesOf(log.Lines), Cohorts: cohortsOf(log.Lines),
			Replay: &loadgen.Replay{Log: filepath.Base(name), Format: log.Format, Speed: speed, Lines: log.Lines},
		},
		Broken: log.Broken,
	}
	var problems Problems
	for _, f := range w.problems() {
		problems = append(problems, Problem{File: name, Field: f.path.String(), Message: f.message})
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return w, nil
}

// nameFromFile derives a workload's name from a file name.
func nameFromFile(file string) string {
	stem, _, _ := strings.Cut(strings.ToLower(file), ".")
	if stem = regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(stem, "-"); IsLabel(stem) {
		return stem
	}
	return "access-log"
}

// maxLogPath limits the path of a route: with a method before it, it is the route's name. Longer
// paths belong to the route "other".
const maxLogPath = 200

// maxLogRoutes limits the routes of a log; other requests belong to the plan's route "other".
const maxLogRoutes = 50

// logRoute is a kind of request in a log.
type logRoute struct{ method, path string }

// routesOf returns the most frequent kinds of requests.
func routesOf(lines []accesslog.Line) []loadgen.Route {
	counts := map[logRoute]int{}
	fold := newPathTemplater()
	for i := range lines {
		path, _, _ := strings.Cut(lines[i].Target, "?")
		if path, ok := fold.path(path); ok {
			method := lines[i].Method
			if method == "HEAD" { // answered by the routes of GET
				method = "GET"
			}
			counts[logRoute{method, path}]++
		}
	}
	frequent := slices.SortedFunc(maps.Keys(counts), func(a, b logRoute) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method))
	})
	var routes []loadgen.Route
	for _, r := range frequent[:min(len(frequent), maxLogRoutes)] {
		routes = append(routes, r.route())
	}
	return routes
}

// route names GET routes by their path, and others by method and path.
func (r logRoute) route() loadgen.Route {
	if r.method == "GET" {
		return loadgen.Route{Name: r.path, Path: r.path}
	}
	return loadgen.Route{Name: r.method + " " + r.path, Method: r.method, Path: r.path}
}

// pathTemplater replaces identifiers in paths to obtain routes.
type pathTemplater struct{ identifier *regexp.Regexp }

func newPathTemplater() pathTemplater {
	const uuid = `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	return pathTemplater{regexp.MustCompile(`^(?:[0-9]+|(?i:` + uuid + `|[0-9a-f]{16,64}))$`)}
}

// path returns the path of the route, or false if a route cannot have this path.
func (f pathTemplater) path(path string) (string, bool) {
	unusable := func(r rune) bool { return r > '~' || strings.ContainsRune("#{}", r) }
	if len(path) > maxLogPath || strings.HasSuffix(path, "*") || strings.ContainsFunc(path, unusable) {
		return "", false
	}
	segments := strings.Split(path, "/")
	first := -1
	for i, s := range segments {
		switch {
		case !f.identifier.MatchString(s):
		case first < 0:
			first = i
		default:
			return strings.Join(segments[:first], "/") + "/*", true
		}
	}
	if first >= 0 {
		segments[first] = "{item}"
	}
	return strings.Join(segments, "/"), true
}

// User agents of cohorts. Bots come first, because crawlers of large search engines also contain
// "mobile".
const (
	botAgents = `(?i)bot|crawl|spider|slurp|archiver|monitor|probe|curl/|wget/|python|java/|okhttp|` +
		`go-http-client|libwww|headless`
	mobileAgents = `(?i)mobi|android|iphone|ipad`
)

// cohortsOf returns the cohorts that have lines.
func cohortsOf(lines []accesslog.Line) []loadgen.Cohort {
	cohorts := []loadgen.Cohort{
		{Name: "bots", Match: &loadgen.LogMatch{UserAgent: botAgents}, IgnoreSetCookie: true},
		{Name: "mobile", Match: &loadgen.LogMatch{UserAgent: mobileAgents}},
		{Name: "web"},
	}
	patterns := []*regexp.Regexp{regexp.MustCompile(botAgents), regexp.MustCompile(mobileAgents)}
	agents := map[string]bool{}
	present := make([]bool, len(cohorts))
	for i := range lines {
		agent := lines[i].UserAgent
		if agents[agent] {
			continue
		}
		agents[agent] = true
		start := agent[:min(len(agent), loadgen.MaxMatched)]
		n := slices.IndexFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(start) })
		if n < 0 {
			n = len(patterns)
		}
		present[n] = true
	}
	var list []loadgen.Cohort
	for i, c := range cohorts {
		if present[i] {
			list = append(list, c)
		}
	}
	return list
}
