package loadtest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"coalmine/lab/input"
	"coalmine/loadgen"
)

// maxTargetFile limits the size of a file with targets.
const maxTargetFile = 16 << 20

// targetFile is a file with targets in one of vegeta's formats, and what was read of it.
type targetFile struct {
	name string
	// body reads the file that a target takes its body from.
	body func(path string) ([]byte, error)
	// base is the URL that all targets have in common: scheme and host.
	base   string
	routes []loadgen.Route
	// weights are the numbers of equal targets, by route name.
	weights map[string]float64
}

// fromTargets returns the options and the source of a test that requests the targets of a file, each
// as often as it is listed.
func (o Options) fromTargets(ctx context.Context) (Options, *source, error) {
	data, err := input.ReadFile(ctx, o.path(o.Plan.Targets), maxTargetFile)
	if err != nil {
		return o, nil, input.New("name a file with targets in vegeta's http or json format", "--targets: %w", err)
	}
	f := &targetFile{name: o.Plan.Targets, weights: map[string]float64{},
		body: func(path string) ([]byte, error) { return input.ReadFile(ctx, o.path(path), maxBodyFile) }}
	read := f.readHTTP
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		read = f.readJSON
	}
	if err := read(strings.Split(string(data), "\n")); err != nil {
		return o, nil, err
	}
	if len(f.routes) == 0 {
		return o, nil, input.New("write targets such as GET http://127.0.0.1:8080/", "%s has no target", f.name)
	}
	o.Target.URLs = []string{f.base}
	return o, &source{name: quickName, workload: loadgen.Workload{
		Rate: loadgen.Curve{Constant: quickRate}, Routes: f.routes,
		Cohorts: []loadgen.Cohort{{Name: "all", Share: 1, Users: quickUsers, Mix: f.weights}},
	}}, nil
}

// errorAt returns an error about a line, which is counted from 0.
func (f *targetFile) errorAt(line int, hint, format string, args ...any) error {
	return input.New(hint, "%s:%d: %w", f.name, line+1, fmt.Errorf(format, args...))
}

// isComment reports whether a line of the http format says nothing.
func isComment(line string) bool { return strings.HasPrefix(line, "#") }

// isRequestLine reports whether a line starts a target, as vegeta does: with a word of capitals.
func isRequestLine(line string) bool {
	method, _, ok := strings.Cut(line, " ")
	return ok && method != "" && strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// readHTTP reads the http format: a line METHOD URL, then headers, then @FILE for the body. An empty
// line or another target ends a target.
func (f *targetFile) readHTTP(lines []string) error {
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if line == "" || isComment(line) {
			continue
		}
		if !isRequestLine(line) {
			return f.errorAt(i, "write METHOD URL", "%.80q is not a target", line)
		}
		start := i
		method, address, _ := strings.Cut(line, " ")
		r := loadgen.Route{Method: method}
		for ; i+1 < len(lines) && r.Body == ""; i++ {
			next := strings.TrimSpace(lines[i+1])
			if next == "" || isRequestLine(next) {
				break
			}
			if err := f.attribute(&r, i+1, next); err != nil {
				return err
			}
		}
		if err := f.add(start, address, r); err != nil {
			return err
		}
	}
	return nil
}

// attribute adds a line below a target to its route.
func (f *targetFile) attribute(r *loadgen.Route, line int, text string) error {
	if isComment(text) {
		return nil
	}
	if path, ok := strings.CutPrefix(text, "@"); ok {
		data, err := f.body(path)
		if err != nil {
			return f.errorAt(line, "name a file of at most 1 MiB", "body: %w", err)
		}
		r.Body = string(data)
		return nil
	}
	name, value, ok := strings.Cut(text, ":")
	if name, value = strings.TrimSpace(name), strings.TrimSpace(value); !ok || name == "" {
		return f.errorAt(line, "write NAME: VALUE, or @FILE for a body", "%.80q is not a header", text)
	}
	r.Headers = append(r.Headers, loadgen.Pair{Name: name, Value: value})
	return nil
}

// readJSON reads the json format: an object in each line.
func (f *targetFile) readJSON(lines []string) error {
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var t struct {
			Method string      `json:"method"`
			URL    string      `json:"url"`
			Body   []byte      `json:"body"`
			Header http.Header `json:"header"`
		}
		if err := json.Unmarshal([]byte(line), &t); err != nil {
			return f.errorAt(i, "write one JSON object a line, with method, url, header and body (base64)", "%w", err)
		}
		r := loadgen.Route{Method: t.Method, Body: string(t.Body)}
		var names []string
		for name := range t.Header {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			for _, value := range t.Header[name] {
				r.Headers = append(r.Headers, loadgen.Pair{Name: name, Value: value})
			}
		}
		if err := f.add(i, t.URL, r); err != nil {
			return err
		}
	}
	return nil
}

// add adds the route of a target, or raises the weight of an equal one.
func (f *targetFile) add(line int, address string, r loadgen.Route) error {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || !IsURL(u.String()) || u.Host == "" {
		return f.errorAt(line, "write http://HOST:PORT/PATH", "%.80q is not a URL", address)
	}
	base := (&url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}).String()
	if f.base = cmp.Or(f.base, base); base != f.base {
		return f.errorAt(line, "write a file for each host", "the target is at %s, those before it at %s",
			base, f.base)
	}
	if !isRequestLine(r.Method + " ") {
		return f.errorAt(line, "write a method in capitals, such as GET", "%.80q is not a method", r.Method)
	}
	if strings.Contains(r.Body, itemPlaceholder) {
		return f.errorAt(line, "write a workload file, whose cohorts have items", "a body contains {item}, but "+
			"targets have no items")
	}
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, "Cookie") {
			return f.errorAt(line, "remove it, and add it to all requests with --header 'Cookie: …'",
				"a target has a Cookie header, but cookies are those of users")
		}
	}
	r.Path = loadgen.EscapeTarget(cmp.Or(u.EscapedPath(), "/"))
	if before, ok := strings.CutSuffix(r.Path, "*"); ok {
		r.Path = before + "%2A"
	}
	name := r.Path
	if u.RawQuery != "" {
		r.Path += loadgen.EscapeTarget("/?" + u.RawQuery)[1:]
	}
	if r.Method != http.MethodGet {
		name = r.Method + " " + name
	}
	return f.merge(line, name, r)
}

// maxTargetName limits the length of the name that a target gives to its route.
const maxTargetName = 200

// merge gives a route a name, or counts it with an equal one.
func (f *targetFile) merge(line int, name string, r loadgen.Route) error {
	for _, old := range f.routes {
		r.Name = old.Name
		if old.Method == r.Method && old.Path == r.Path && old.Body == r.Body &&
			slices.Equal(old.Headers, r.Headers) {
			f.weights[r.Name]++
			return nil
		}
	}
	name = name[:min(len(name), maxTargetName)]
	r.Name = name
	for n := 2; f.weights[r.Name] > 0; n++ {
		r.Name = fmt.Sprintf("%s (%d)", name, n)
	}
	if len(f.routes) == maxTargets {
		return f.errorAt(line, "write several files", "more than %d different targets", maxTargets)
	}
	f.routes = append(f.routes, r)
	f.weights[r.Name] = 1
	return nil
}

// maxTargets is the largest number of routes of a workload.
const maxTargets = 1000
