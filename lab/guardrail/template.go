package guardrail

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"text/template/parse"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/fluxcd/flagger/pkg/metrics/observers"
)

// queryProblem says what is wrong with a query, and what to do.
type queryProblem struct {
	message, hint string
	// inMetric is set if the metric that uses the template is wrong, not the template.
	inMetric bool
}

// checkMetricTemplate checks everything but the query, which depends on the Canary that uses it.
func (c *checker) checkMetricTemplate(d *document, v *flaggerv1.MetricTemplate) {
	p := v.Spec.Provider
	if vendor := vendorName(v); vendor != "" {
		c.note(d, "spec.provider.type", vendorReason(vendor)+": checks that use this template are left out", "")
		return
	}
	if p.Type != providerPrometheus {
		c.fail(d, "spec.provider.type", Clip(p.Type)+" is not a provider of Flagger",
			"write type: prometheus")
	}
	c.checkProviderFields(d, p)
	if strings.TrimSpace(v.Spec.Query) == "" {
		c.fail(d, "spec.query", "is missing", "write a PromQL query")
		return
	}
	c.checkUnusedTemplate(d, v)
}

// checkUnusedTemplate checks the query of a template that no Canary uses, as far as possible
// without variables.
func (c *checker) checkUnusedTemplate(d *document, v *flaggerv1.MetricTemplate) {
	for _, other := range c.docs {
		canary, ok := other.object.Value.(*flaggerv1.Canary)
		if !ok || canary.Spec.Analysis == nil {
			continue
		}
		for _, m := range canary.Spec.Analysis.Metrics {
			if m.TemplateRef != nil && m.TemplateRef.Name == v.Name {
				return
			}
		}
	}
	example := flaggerv1.MetricTemplateModel{Name: "app", Namespace: c.env.Namespace, Target: "app", Service: "app",
		Ingress: "app", Route: "app", Interval: "1m"}
	if _, p := renderQuery(v.Spec.Query, example); p != nil && !p.inMetric {
		c.fail(d, "spec.query", p.message, p.hint)
	}
}

var intervalUse = regexp.MustCompile(`\{\{[^}]*\binterval\b`)

// checkTemplateUse checks the query of template t as one metric of a Canary renders it.
func (c *checker) checkTemplateUse(d *document, path string, t *document, v *flaggerv1.Canary,
	m flaggerv1.CanaryMetric) {
	query := t.object.Value.(*flaggerv1.MetricTemplate).Spec.Query
	if strings.TrimSpace(query) == "" {
		return // already reported for the template
	}
	if len(query) <= MaxQueryLength && m.Interval == "" && intervalUse.MatchString(query) {
		c.fail(d, path+".interval", "is missing, but template "+Clip(t.object.Name)+
			" uses it: the range would be empty",
			"write interval: 1m")
		return
	}
	_, p := renderQuery(query, templateModel(v, m))
	switch {
	case p == nil:
	case p.inMetric:
		c.fail(d, path, p.message, p.hint)
	default:
		c.fail(t, "spec.query", p.message, p.hint)
	}
}

// templateModel returns the values that Flagger renders a metric's query with. The default interval
// is for inline queries only. Source: flagger pkg/controller/scheduler_metrics.go, toMetricModel.
func templateModel(v *flaggerv1.Canary, m flaggerv1.CanaryMetric) flaggerv1.MetricTemplateModel {
	target := v.Spec.TargetRef.Name
	service := target
	if v.Spec.Service.Name != "" {
		service = v.Spec.Service.Name
	}
	interval := m.Interval
	if interval == "" {
		interval = flaggerv1.MetricInterval
	}
	return flaggerv1.MetricTemplateModel{Name: v.Name, Namespace: v.Namespace, Target: target, Service: service,
		Ingress: target, Route: target, Interval: interval, Variables: m.TemplateVariables}
}

var whitespace = regexp.MustCompile(`\s+`)

// renderQuery returns the PromQL text that Flagger would send, and checks it.
func renderQuery(query string, m flaggerv1.MetricTemplateModel) (string, *queryProblem) {
	if len(query) > MaxQueryLength {
		return "", &queryProblem{message: fmt.Sprintf("the query is longer than %d bytes", MaxQueryLength),
			hint: "shorten it"}
	}
	if p := checkTemplate(query, m); p != nil {
		return "", p
	}
	for name, value := range m.Variables {
		if len(value) > MaxRegexLength {
			return "", &queryProblem{message: "variable " + Clip(name) + " is too long", hint: "shorten it",
				inMetric: true}
		}
	}
	rendered, err := observers.RenderQuery(query, m)
	if err != nil {
		return "", renderProblem(err)
	}
	if len(rendered) > MaxQueryLength {
		return "", &queryProblem{message: fmt.Sprintf("the rendered query is longer than %d bytes", MaxQueryLength),
			hint: "shorten it or its variables"}
	}
	return normalizeQuery(rendered)
}

// normalizeQuery joins the lines of a query as Flagger does before it sends it. A comment then
// extends to the end. Source: flagger pkg/metrics/providers/prometheus.go, trimQuery.
func normalizeQuery(rendered string) (string, *queryProblem) {
	if commentHidesRest(rendered) {
		return "", &queryProblem{
			message: "the query has a comment: Flagger joins the lines, so all that follows the # is lost",
			hint:    "remove the comment",
		}
	}
	text := strings.TrimSpace(whitespace.ReplaceAllString(rendered, " "))
	return text, checkPromQL(text)
}

// commentHidesRest reports whether anything follows the first comment of the query.
func commentHidesRest(query string) bool {
	var quote byte
	for i := 0; i < len(query); i++ {
		switch c := query[i]; {
		case quote != 0 && c == '\\' && quote != '`':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '#':
			_, rest, _ := strings.Cut(query[i:], "\n")
			return strings.TrimSpace(rest) != ""
		}
	}
	return false
}

func renderProblem(err error) *queryProblem {
	text := err.Error()
	if _, name, ok := strings.Cut(text, "map has no entry for key "); ok {
		return &queryProblem{message: "the query uses variable " + Clip(name) + ", which the metric does not set",
			hint: "add it under templateVariables", inMetric: true}
	}
	return &queryProblem{message: "the template cannot be rendered: " + Clip(text),
		hint: "use {{ target }}, {{ namespace }}, {{ interval }} or {{ variables.NAME }}"}
}

// checkTemplate accepts templates that insert values and choose between them. It rejects loops and
// formatting, with which a few lines can render to gigabytes.
func checkTemplate(query string, m flaggerv1.MetricTemplateModel) *queryProblem {
	funcs := make(map[string]any)
	for name, f := range m.TemplateFunctions() {
		funcs[name] = f
	}
	for _, name := range templateFunctions() {
		funcs[name] = 0
	}
	trees, err := parse.Parse("query", query, "", "", funcs)
	if err != nil {
		return templateProblem(err)
	}
	if len(trees) > 1 {
		return &queryProblem{message: "the template defines other templates", hint: "write the query without them"}
	}
	for _, t := range trees {
		if name := rejectedFormat(t.Root); name != "" {
			return &queryProblem{message: "{{ printf " + Clip(name) + " }} is not allowed in a query",
				hint: "use the verbs %s, %d, %q and %v without a width, and no variables"}
		}
		if name := rejectedNode(t.Root); name != "" {
			return &queryProblem{message: "{{ " + name + " }} is not allowed in a query",
				hint: "insert values only: {{ target }}, {{ interval }}, {{ variables.NAME }}"}
		}
	}
	return nil
}

// templateFunctions returns the functions of text/template that cannot make the text longer.
func templateFunctions() []string {
	return []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "index", "len", "printf"}
}

// plainFormat matches formats without a width or a precision, which could make the text longer.
var plainFormat = regexp.MustCompile(`^([^%]|%[sdqv%])*$`)

// rejectedFormat returns the first format of printf that is not plain, or "" if there is none.
func rejectedFormat(n parse.Node) string {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return ""
		}
		for _, c := range n.Nodes {
			if name := rejectedFormat(c); name != "" {
				return name
			}
		}
	case *parse.IfNode:
		return cmp.Or(rejectedFormat(n.Pipe), rejectedFormat(n.List), rejectedFormat(n.ElseList))
	case *parse.WithNode:
		return cmp.Or(rejectedFormat(n.Pipe), rejectedFormat(n.List), rejectedFormat(n.ElseList))
	case *parse.ActionNode:
		return rejectedFormat(n.Pipe)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			if name := rejectedFormat(c); name != "" {
				return name
			}
		}
	case *parse.CommandNode:
		return rejectedCommand(n)
	}
	return ""
}

// rejectedCommand is [rejectedFormat] of a command. A variable as an argument could double the text
// again and again.
func rejectedCommand(n *parse.CommandNode) string {
	if f, ok := n.Args[0].(*parse.IdentifierNode); ok && f.Ident == "printf" {
		if len(n.Args) == 1 {
			return "without a format"
		}
		if format, ok := n.Args[1].(*parse.StringNode); !ok || !plainFormat.MatchString(format.Text) {
			return n.Args[1].String()
		}
		for _, arg := range n.Args[2:] {
			switch arg.(type) {
			case *parse.IdentifierNode, *parse.StringNode, *parse.NumberNode, *parse.ChainNode, *parse.FieldNode:
			default:
				return "of " + arg.String()
			}
		}
	}
	for _, arg := range n.Args {
		if p, ok := arg.(*parse.PipeNode); ok {
			if name := rejectedFormat(p); name != "" {
				return name
			}
		}
	}
	return ""
}

var undefinedFunction = regexp.MustCompile(`function "([^"]*)" not defined`)

func templateProblem(err error) *queryProblem {
	if m := undefinedFunction.FindStringSubmatch(err.Error()); m != nil {
		return &queryProblem{message: "the template has no function " + Clip(m[1]),
			hint: "use name, namespace, target, service, ingress, route, interval or variables.NAME"}
	}
	_, what, _ := strings.Cut(strings.TrimPrefix(err.Error(), "template: query:"), ":")
	return &queryProblem{message: "invalid template: " + Clip(strings.TrimSpace(what)), hint: "check the braces"}
}

// rejectedNode returns the name of the first construct that is not allowed, or "" if there is none.
func rejectedNode(n parse.Node) string {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return ""
		}
		for _, c := range n.Nodes {
			if name := rejectedNode(c); name != "" {
				return name
			}
		}
	case *parse.IfNode:
		return cmp.Or(rejectedNode(n.List), rejectedNode(n.ElseList))
	case *parse.WithNode:
		return cmp.Or(rejectedNode(n.List), rejectedNode(n.ElseList))
	case *parse.TextNode, *parse.ActionNode, *parse.CommentNode:
	case *parse.RangeNode:
		return "range"
	case *parse.TemplateNode:
		return "template"
	default:
		return "this"
	}
	return ""
}
