package objective

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"coalmine/loadgen"
)

// Limits of an objective's text.
const (
	maxText       = 1000
	maxConditions = 20
)

// Parse parses an objective for a workload. Errors name the column, what is wrong there, and what
// is allowed: cohorts and routes are those of the workload. Versions are not known before servers
// respond, so any is accepted.
func Parse(text string, w *loadgen.Workload) (Objective, error) {
	if len(text) > maxText || !utf8.ValidString(text) {
		return Objective{}, fmt.Errorf("objective %.40q: is longer than %d bytes or not valid UTF-8", text, maxText)
	}
	p := parser{scanner: scanner{text: text}, workload: w}
	if err := p.parse(); err != nil {
		return Objective{}, fmt.Errorf("objective %q, %w", text, err)
	}
	return p.objective, nil
}

type parser struct {
	scanner
	workload  *loadgen.Workload
	objective Objective
}

// fail returns an error at an offset of the text.
func (p *parser) fail(at int, format string, args ...any) error {
	return fmt.Errorf("column %d: %s", p.column(at), fmt.Sprintf(format, args...))
}

func (p *parser) parse() error {
	o := &p.objective
	for p.skip(separators); p.rest() != ""; p.skip(separators) {
		if err := p.part(); err != nil {
			return err
		}
		if len(o.conditions) > maxConditions {
			return p.fail(p.at, "more than %d conditions; write several objectives", maxConditions)
		}
	}
	if len(o.conditions) == 0 {
		return p.fail(p.at, "no condition; write one such as p99<500ms, errors<1%% or success>99.5%%")
	}
	parts := make([]string, len(o.conditions))
	for i, c := range o.conditions {
		parts[i] = c.String()
	}
	o.text = strings.TrimSpace(o.selector.String() + " " + strings.Join(parts, ", "))
	if len(o.text) > maxText {
		return fmt.Errorf("column 1: is longer than %d bytes with the names in quotes", maxText)
	}
	return nil
}

// part reads a selector or a condition.
func (p *parser) part() error {
	start := p.at
	name := p.word()
	p.skip(" ")
	at := p.at
	sign := p.operator()
	if slot := p.objective.selector.slot(name); slot != nil {
		if sign != "=" {
			return p.fail(at, "%s selects requests: write %s=NAME", name, name)
		}
		return p.selection(start, name, slot)
	}
	if name == statusKey && sign == "=" {
		return p.status(start)
	}
	m, ok := metricOf(name)
	if !ok {
		return p.fail(start, "%q is not a metric%s; the metrics are %s; the selectors cohort=, route= and version= "+
			"come first",
			name, suggest(name, vocabulary()), metricNames)
	}
	return p.comparison(m, at, sign)
}

// comparison reads the rest of a condition after the operator at an offset.
func (p *parser) comparison(m metric, at int, sign string) error {
	o := op(sign)
	switch o {
	case less, lessEqual, greater, greaterEqual:
	case "":
		return p.fail(at, "%s has no comparison: write for example %s", m.name, m.example())
	default:
		return p.fail(at, "%q is not a comparison: write <, <=, > or >=", sign)
	}
	p.skip(" ")
	return p.condition(m, o)
}

// status reads a condition on a status after "status=".
func (p *parser) status(start int) error {
	p.skip(" ")
	text := p.word()
	statuses, ok := statusesOf(text)
	if !ok {
		return p.fail(start, "status=%s is not a status: write for example status=404<1%% or 4xx<1%%", text)
	}
	p.skip(" ")
	at := p.at
	return p.comparison(metric{name: statusKey + "=" + text, kind: share, statuses: statuses}, at, p.operator())
}

// slot returns the selector's field of a name, or nil if there is none.
func (s *selector) slot(name string) **string {
	switch name {
	case "cohort":
		return &s.cohort
	case "route":
		return &s.route
	case "version":
		return &s.version
	}
	return nil
}

func (p *parser) selection(start int, key string, slot **string) error {
	if len(p.objective.conditions) > 0 {
		return p.fail(start, "%s= follows a condition; selectors come first and apply to all conditions", key)
	}
	if *slot != nil {
		return p.fail(start, "%s= is a duplicate; write two objectives", key)
	}
	at := p.at
	bare := !strings.HasPrefix(p.rest(), `"`)
	name, ok := p.name()
	switch {
	case !ok:
		return p.fail(at, "the quote is not closed")
	case bare && name == "":
		return p.fail(at, "%s= has no name", key)
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return p.fail(at, "the name contains a control character")
	}
	*slot = &name
	switch key {
	case "cohort":
		return p.cohort(at, name)
	case "route":
		return p.route(at, name)
	}
	return nil
}

func (p *parser) cohort(at int, name string) error {
	var names []string
	for _, c := range p.workload.Cohorts {
		if c.Name == name {
			return nil
		}
		names = append(names, c.Name)
	}
	return p.fail(at, "the workload has no cohort %q%s; it has %s", name, suggest(name, names), list(names))
}

// route selects the route of a name, or those of a path. If no path matches, /NAME selects the
// route NAME, because people write routes with a slash.
func (p *parser) route(at int, name string) error {
	var names, paths []string
	s := &p.objective.selector
	for _, r := range p.workload.Routes {
		if r.Name == name {
			s.routes = []string{name}
			return nil
		}
		path, _, _ := strings.Cut(r.Path, "?")
		if r.Path == name || path == name {
			s.routes = append(s.routes, r.Name)
		}
		names, paths = append(names, r.Name), append(paths, path)
	}
	if bare := strings.TrimPrefix(name, "/"); len(s.routes) == 0 && bare != name && slices.Contains(names, bare) {
		s.routes = []string{bare}
	}
	if len(s.routes) > 0 {
		return nil
	}
	if strings.HasPrefix(name, "/") {
		return p.fail(at, "the workload has no route with path %q%s; it has %s", name, suggest(name, paths),
			list(paths))
	}
	return p.fail(at, "the workload has no route %q%s; it has %s", name, suggest(name, names), list(names))
}

func (p *parser) condition(m metric, o op) error {
	at := p.at
	value := p.value()
	c := condition{metric: m, op: o, value: value}
	var err error
	switch {
	case value == "":
		err = fmt.Errorf("%s%s has no value; write for example %s", m.name, o, m.example())
	case m.statuses != (statusRange{}) && strings.HasSuffix(value, "/s"):
		c.metric.kind = perSecond
		c.limit, err = rateLimit(value)
	case m.kind == latency:
		c.limit, err = latencyLimit(value)
	case m.kind == share:
		c.limit, err = shareLimit(value, o)
	default:
		c.limit, err = rateLimit(value)
	}
	if err != nil {
		return p.fail(at, "%v", err)
	}
	p.objective.conditions = append(p.objective.conditions, c)
	return nil
}

func latencyLimit(value string) (float64, error) {
	d, err := time.ParseDuration(value)
	switch {
	case err != nil && number(value):
		return 0, fmt.Errorf("%s has no unit: write %sms or %ss", value, value, value)
	case err != nil:
		return 0, fmt.Errorf("%q is not a time: write for example 500ms or 1.5s", value)
	case d <= 0 || d > time.Hour:
		return 0, fmt.Errorf("%s is not over 0 and up to 1h, the range of measured latencies", value)
	}
	return float64(d), nil
}

func shareLimit(value string, o op) (float64, error) {
	text, percent := strings.CutSuffix(value, "%")
	if percent {
		text += "e-2" // as for quantiles
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || !number(strings.TrimSuffix(value, "%")):
		return 0, fmt.Errorf("%q is not a share: write for example 0.5%% or 0.005", value)
	case !percent && f >= 1:
		return 0, fmt.Errorf("%s is not a fraction: write %s%% for a percentage, or a number under 1", value, value)
	case f < 0 || f > 1:
		return 0, fmt.Errorf("%s is not a share from 0%% to 100%%", value)
	case f == 0 && o == less || f == 1 && o == greater:
		return 0, fmt.Errorf("a share is never %s %s: write %s=", o.words(), value, o)
	}
	return f, nil
}

func rateLimit(value string) (float64, error) {
	text := strings.TrimSuffix(value, "/s")
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !number(text) || f < 0 || f > math.MaxInt32 {
		return 0, fmt.Errorf("%q is not a rate: write a number of requests per second, such as 95", value)
	}
	return f, nil
}

// number reports whether text is a decimal number, excluding what else package strconv parses, such
// as Inf and 0x1p-2.
func number(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return (err == nil || errors.Is(err, strconv.ErrRange)) && strings.Trim(text, "+-.0123456789") == ""
}

// example returns a condition on the metric.
func (m metric) example() string {
	switch m.kind {
	case latency:
		return m.name + "<500ms"
	case share:
		if m.name == "success" {
			return "success>99.5%"
		}
		return m.name + "<1%"
	}
	return m.name + ">=95"
}
