package mapping

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

// Cohort is a part of the scenario's users, as a route tells it from others.
type Cohort struct {
	Name string
	// Share is the share of all requests.
	Share float64
	// Headers are the names, in lower case, and values of what each request has. Personal is set if
	// they differ from user to user.
	Headers  [][2]string
	Personal bool
}

const matchPath = "spec.analysis.match"

// matchUsers adds a cohort of the scenario to the users of an A/B test that is made for others: no
// request of the scenario has what the test looks for, and Flagger would wait for them in vain. The
// entries of the manifest stay, for its load tests.
func (m *mapper) matchUsers(a *app) {
	match, ok := find(a.doc.Root, matchPath)
	if !ok || match.Value.Kind != yaml.SequenceNode || scalar(a.doc.Root, "spec.analysis.iterations") == "" {
		return
	}
	names := m.dropPodMatches(a, match)
	if len(m.lab.Cohorts) == 0 {
		return
	}
	for _, entry := range match.Items() {
		for _, c := range append([]Cohort{{}}, m.lab.Cohorts...) {
			if matches(entry, c) {
				return // or it is not understood
			}
		}
		headers, _ := entry.Child("headers")
		for i := 0; i+1 < len(headers.Value.Content); i += 2 {
			names = append(names, headers.Value.Content[i].Value)
		}
	}
	if len(names) == 0 {
		return
	}
	c, ok := m.cohort()
	if !ok {
		m.note(a.doc, matchPath, "no user of the scenario sends "+strings.Join(names, " or ")+
			": only requests of load tests with it reach the canary", "")
		return
	}
	what := c.Headers[0][0] + ": " + c.Headers[0][1]
	reason := fmt.Sprintf("no user of the scenario sends %s: cohort %s takes part, who send %s with %v %% of all "+
		"requests", strings.Join(names, " or "), c.Name, what, strconv.FormatFloat(100*c.Share, 'f', -1, 64))
	entry := mappingNode("headers", mappingNode(c.Headers[0][0], condition(c.Headers[0])))
	setLine(entry, match.Value.Line)
	m.record(a.doc, matchPath, match.Key.Line, "", brief(entry), reason)
	match.Value.Content = append(match.Value.Content, entry)
	m.adapted(a, matchPath, partMatch, strings.Join(names, " or "), reason)
}

// dropPodMatches removes entries with conditions on the labels of the clients' pods only, which a mesh
// such as Istio has. They would match every request.
func (m *mapper) dropPodMatches(a *app, match yamlpos.Field) []string {
	const labels = "sourceLabels"
	if !m.foreign(a) {
		return nil
	}
	list, n := match.Value.Content, len(match.Value.Content)
	match.Value.Content = slices.DeleteFunc(list, func(entry *yaml.Node) bool {
		return entry.Kind == yaml.MappingNode && len(entry.Content) == 2 && entry.Content[0].Value == labels
	})
	if len(match.Value.Content) == n {
		return nil
	}
	const reason = "a route of the Gateway API has no conditions on the labels of clients"
	m.record(a.doc, matchPath, match.Key.Line, labels, "", reason)
	m.adapted(a, matchPath, partMatch, labels, reason)
	return []string{"requests with " + labels}
}

// cohort returns the largest part of the users that a route can tell from the others, if that is less
// than half of them.
func (m *mapper) cohort() (Cohort, bool) {
	best := Cohort{}
	for _, c := range m.lab.Cohorts {
		if len(c.Headers) > 0 && !c.Personal && c.Share <= 0.5 && c.Share > best.Share {
			best = c
		}
	}
	return best, best.Share > 0
}

// condition returns the condition of a match for a header. A cookie is one of several.
func condition(header [2]string) *yaml.Node {
	if header[0] == "cookie" {
		first, _, _ := strings.Cut(header[1], ";")
		return mappingNode("regex", `^(.*;\s*)?`+regexp.QuoteMeta(first)+`(;.*)?$`)
	}
	return mappingNode("exact", header[1])
}

// matches reports whether an entry of a match selects requests of a cohort. It does if it has other
// conditions than on headers.
func matches(entry yamlpos.Field, c Cohort) bool {
	headers, ok := entry.Child("headers")
	if !ok || len(entry.Value.Content) != 2 || headers.Value.Kind != yaml.MappingNode {
		return true
	}
	for i := 0; i+1 < len(headers.Value.Content); i += 2 {
		name := strings.ToLower(headers.Value.Content[i].Value)
		at := slices.IndexFunc(c.Headers, func(h [2]string) bool { return h[0] == name })
		value := ""
		if at >= 0 {
			value = c.Headers[at][1]
		}
		if at < 0 || !meets(headers.Value.Content[i+1], value) {
			return false
		}
	}
	return true
}

// meets reports whether a value meets a condition, or the condition is not understood.
func meets(n *yaml.Node, value string) bool {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		return true
	}
	want := n.Content[1].Value
	switch n.Content[0].Value {
	case "exact":
		return value == want
	case "prefix":
		return strings.HasPrefix(value, want)
	case "suffix":
		return strings.HasSuffix(value, want)
	case "regex":
		if r, err := regexp.Compile("^(?:" + want + ")$"); err == nil {
			return r.MatchString(value)
		}
	}
	return true
}

const (
	// spareRounds is how many intervals a rollout takes beside its steps: Flagger notices the version,
	// starts the analysis, finds no values at first, routes all traffic, and promotes.
	spareRounds = 5
	// shortestInterval is Flagger's (pkg/controller/job.go).
	shortestInterval = 10 * time.Second
	intervalUnit     = 5 * time.Second
)

// fitInterval shortens the interval of an analysis that takes longer than the scenario lasts.
func (m *mapper) fitInterval(a *app) {
	const path = "spec.analysis.interval"
	steps := analysisSteps(a.doc)
	text := scalar(a.doc.Root, path)
	interval, err := time.ParseDuration(cmp.Or(text, "1m"))
	if err != nil || steps <= 0 || m.lab.Horizon == 0 {
		return
	}
	if interval <= m.lab.Horizon/time.Duration(steps+spareRounds) {
		return
	}
	failing, _ := strconv.Atoi(scalar(a.doc.Root, "spec.analysis.threshold"))
	rounds := steps + spareRounds + min(max(failing, 0), steps) // so that the last step can be rolled back
	fit := max((m.lab.Horizon / time.Duration(rounds)).Truncate(intervalUnit), shortestInterval)
	if interval <= fit {
		return
	}
	reason := fmt.Sprintf("%d steps of %s take longer than the %s that the scenario lasts after the release", steps,
		shortDuration(interval), shortDuration(m.lab.Horizon))
	if text == "" {
		m.insert(a.doc, "spec.analysis", "", "interval", stringNode(shortDuration(fit)), reason)
	} else {
		m.set(a.doc, path, shortDuration(fit), reason)
	}
	m.adapted(a, path, partInterval, shortDuration(interval), reason+", so it is "+shortDuration(fit))
}

// analysisSteps returns how many steps the analysis of a Canary has, 0 if that is not known.
func analysisSteps(d *Document) int {
	number := func(path string, otherwise int) int {
		if n, err := strconv.Atoi(scalar(d.Root, path)); err == nil {
			return n
		}
		return otherwise
	}
	if n := number("spec.analysis.iterations", 0); n > 0 {
		return n
	}
	if weights, ok := find(d.Root, "spec.analysis.stepWeights"); ok {
		return len(weights.Items())
	}
	step := number("spec.analysis.stepWeight", 0)
	if step <= 0 {
		return 0
	}
	return (number("spec.analysis.maxWeight", 100) + step - 1) / step
}

// shortDuration formats a duration as manifests have it: 12m, not 12m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if rest, ok := strings.CutSuffix(text, "m0s"); ok {
		text = rest + "m"
	}
	if rest, ok := strings.CutSuffix(text, "h0m"); ok {
		text = rest + "h"
	}
	return text
}

// heyDuration matches how long hey sends.
var heyDuration = regexp.MustCompile(`(\s-z[ =]?)[0-9a-z]+`)

// loadCanary sends load tests of the Service to the canary's, in place of the mirrored requests that
// the canary would get by another mesh.
func (m *mapper) loadCanary(a *app) {
	const reason = "in place of mirrored requests, which Linkerd does not send"
	service := regexp.MustCompile(`//` + regexp.QuoteMeta(a.to) + `([./:'"\s]|$)`)
	webhooks, _ := find(a.doc.Root, "spec.analysis.webhooks")
	sent := false
	for i, w := range webhooks.Items() {
		at := yamlpos.Index("spec.analysis.webhooks", i)
		command := at + ".metadata.cmd"
		text := scalar(a.doc.Root, command)
		if kind := scalar(w.Value, "type"); kind != "" && kind != "rollout" || !service.MatchString(text) {
			continue
		}
		sent = true
		text = service.ReplaceAllString(text, "//"+a.to+"-canary$1")
		if m.lab.Horizon > 0 {
			text = heyDuration.ReplaceAllString(text, "${1}"+shortDuration(m.lab.Horizon))
		}
		m.set(a.doc, command, text, reason+": they do not pause either")
	}
	does := "the load test is sent to the canary"
	if !sent {
		does = "nothing reaches the canary before its promotion, and checks have no values; add a load test of " +
			"http://" + a.to + "-canary." + m.lab.Namespace
	}
	m.adapted(a, "spec.analysis.mirror", partMirror, "of requests", "Linkerd does not mirror: "+does)
}

// adapted notes that a part of a Canary is played otherwise than it is written. What adopt changes, it
// shows.
func (m *mapper) adapted(a *app, path, what, name, reason string) {
	if m.lab.Translate {
		return
	}
	m.note(a.doc, path, reason, "")
	m.result.LeftOut = append(m.result.LeftOut, Part{Document: a.doc, Path: path, What: what, Name: name,
		Reason: reason})
}
