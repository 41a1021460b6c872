package lint

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/guardrail"
)

func versionRules() []Rule {
	const why = "In production nobody knows the name of a faulty version before it is faulty. A check that selects " +
		"one by name, hash or address knows what it has not measured."
	return []Rule{
		{Name: "reads-version", needs: theScenario, query: checkReadsVersion, object: checkSelectsVersion, Why: why,
			Section: sectionQueries,
			What:    "A query or a Server selects versions, pods or hashes by name.",
			Source:  "kubernetes.io/docs, Deployments, pod-template-hash label"},
	}
}

// revisionLabel returns how the values of a label look that is different for each version, or
// false. Each group holds values that a check of no particular version treats alike.
func (p *pass) revisionLabel(name string) (groups [][]string, ok bool) {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "exported_"), "dst_")
	switch name {
	case "pod", "pod_name":
		return p.podNames(), true
	case "pod_template_hash", "template_hash", "rs", "replicaset", "replica_set", "controller_revision_hash":
		return [][]string{samples(hash(8)), samples(hash(9)), samples(hash(10))}, true
	case "instance", "target_addr":
		return [][]string{samples(address(":4191")), samples(address(":8080"))}, true
	case "target_ip", "pod_ip", "ip":
		return [][]string{samples(address(""))}, true
	case "version", "revision", "image", "image_id", "tag", "container_id", "uid":
		return [][]string{slices.Concat(samples(func(r *rand.Rand) string {
			return fmt.Sprintf("r-%04x", r.IntN(1<<16))
		}),
			[]string{"v1", "v2", "v3", "1.0.0", "main", "sha256:" + strings.Repeat("0a", 32)})}, true
	}
	if slices.ContainsFunc(p.set.Environment.VersionLabels, func(l string) bool { return metricLabel(l) == name }) {
		return [][]string{samples(word)}, true
	}
	return nil, false
}

var notInLabel = regexp.MustCompile(`[^A-Za-z0-9_]`)

// metricLabel returns the label of a series that has the value of a pod's label.
func metricLabel(podLabel string) string { return notInLabel.ReplaceAllString(podLabel, "_") }

// samples returns values that a generator draws, always the same.
func samples(draw func(*rand.Rand) string) []string {
	r := rand.New(rand.NewPCG(1, 2))
	values := make([]string, 200)
	for i := range values {
		values[i] = draw(r)
	}
	return values
}

// safe are the characters of Kubernetes' generated names (apimachinery, pkg/util/rand).
const safe = "bcdfghjklmnpqrstvwxz2456789"

func letters(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = safe[r.IntN(len(safe))]
	}
	return string(b)
}

func hash(n int) func(*rand.Rand) string {
	return func(r *rand.Rand) string { return letters(r, n) }
}

func word(r *rand.Rand) string { return letters(r, 3+r.IntN(10)) }

func address(port string) func(*rand.Rand) string {
	return func(r *rand.Rand) string {
		return fmt.Sprintf("10.%d.%d.%d%s", r.IntN(256), r.IntN(256), 1+r.IntN(254), port)
	}
}

// podNames returns a group of names for each of the lab's Deployments.
func (p *pass) podNames() [][]string {
	var groups [][]string
	for _, target := range p.set.Environment.Targets {
		for _, deployment := range []string{target, target + "-primary"} {
			for _, n := range []int{9, 10} {
				groups = append(groups, samples(func(r *rand.Rand) string {
					return deployment + "-" + letters(r, n) + "-" + letters(r, 5)
				}))
			}
		}
	}
	return groups
}

// picks reports whether matches treats values of a group differently, or accepts none of any group
// although it accepts something: a constant.
func picks(groups [][]string, matches func(string) bool) bool {
	none := true
	for _, group := range groups {
		n := 0
		for _, value := range group {
			if matches(value) {
				n++
			}
		}
		if n > 0 && n < len(group) {
			return true
		}
		none = none && n == 0
	}
	return none
}

// picksVersion reports whether a matcher selects by the values of a label that depends on the
// version.
func picksVersion(groups [][]string, m *labels.Matcher) bool {
	if m.Value == "" {
		return false // whether the series has the label at all
	}
	if m.Type == labels.MatchNotEqual || m.Type == labels.MatchNotRegexp {
		opposite, err := m.Inverse()
		return err == nil && picks(groups, opposite.Matches)
	}
	return picks(groups, m.Matches)
}

const readsVersionHint = "select with deployment=\"{{ target }}\", and measure what the release does"

func checkReadsVersion(p *pass, q query) {
	parser.Inspect(q.expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			for _, m := range n.LabelMatchers {
				if groups, ok := p.revisionLabel(m.Name); ok && picksVersion(groups, m) {
					p.warnAt(q.object, q.field, guardrail.Clip(m.String())+" selects particular versions",
						readsVersionHint)
				}
			}
		case *parser.Call:
			p.checkRelabel(q, n)
		}
		return nil
	})
}

// checkRelabel reports functions that write or take apart a label that depends on the version, with
// which a selection by name can be written without a matcher.
func (p *pass) checkRelabel(q query, c *parser.Call) {
	args := texts(c.Args)
	warn := func(label string) {
		p.warnAt(q.object, q.field, c.Func.Name+" of label "+guardrail.Clip(label)+" tells versions apart",
			readsVersionHint)
	}
	switch c.Func.Name {
	case "label_replace":
		if len(args) != 5 {
			return
		}
		into, replacement, from, expr := args[1], args[2], args[3], args[4]
		constant := !strings.Contains(replacement, "$")
		if _, ok := p.revisionLabel(into); ok && constant {
			warn(into)
			return
		}
		groups, ok := p.origin(c.Args[0], from)
		_, own := p.revisionLabel(from)
		re, err := regexp.Compile("^(?s:" + expr + ")$")
		if ok && err == nil && (picks(groups, re.MatchString) || own && !isPodLabel(from)) {
			warn(from)
			return
		}
		if _, ok := p.origin(q.expr, into); ok && constant { // to join with a copy of the label
			warn(into)
		}
	case "label_join":
		for _, from := range args[min(3, len(args)):] {
			if _, ok := p.revisionLabel(from); ok {
				warn(from)
			}
		}
	}
}

// origin returns how the values of a label look that depends on the version: by itself, or since a
// label_replace within the expression writes it from such a label. A label that comes out the same
// for all versions of a Deployment does not depend on them.
func (p *pass) origin(e parser.Expr, label string) (groups [][]string, ok bool) {
	if groups, ok = p.revisionLabel(label); ok {
		return groups, true
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		c, isCall := n.(*parser.Call)
		if !isCall || c.Func.Name != "label_replace" {
			return nil
		}
		args := texts(c.Args)
		if len(args) != 5 || args[1] != label {
			return nil
		}
		from, known := p.origin(c.Args[0], args[3])
		re, err := regexp.Compile("^(?s:" + args[4] + ")$")
		if !known || err != nil {
			return nil
		}
		for _, group := range from {
			if written := replaced(re, args[2], group); varies(written) {
				groups = append(groups, written)
			}
		}
		return nil
	})
	return groups, len(groups) > 0
}

// replaced returns what label_replace writes for values; it writes nothing where the regular
// expression does not match.
func replaced(re *regexp.Regexp, replacement string, values []string) []string {
	written := make([]string, len(values))
	for i, v := range values {
		if m := re.FindStringSubmatchIndex(v); m != nil {
			written[i] = string(re.ExpandString(nil, replacement, v, m))
		}
	}
	return written
}

func varies(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return v != values[0] })
}

// isPodLabel reports whether a label holds the name of a pod, which is often taken apart for the
// name of its Deployment.
func isPodLabel(name string) bool { return strings.HasPrefix(strings.TrimPrefix(name, "dst_"), "pod") }

// texts returns the string arguments of a call, "" for others.
func texts(args parser.Expressions) []string {
	all := make([]string, len(args))
	for i, a := range args {
		for paren, ok := a.(*parser.ParenExpr); ok; paren, ok = a.(*parser.ParenExpr) {
			a = paren.Expr
		}
		if s, ok := a.(*parser.StringLiteral); ok {
			all[i] = s.Val
		}
	}
	return all
}

// checkSelectsVersion reports a Server that selects pods by a label that depends on the version.
func checkSelectsVersion(p *pass) {
	server, ok := p.object.Value.(*guardrail.Server)
	if !ok || server.Spec.PodSelector == nil {
		return
	}
	const hint = "select by app: the canary's pods have app: X, the primary's app: X-primary"
	for name := range server.Spec.PodSelector.MatchLabels {
		if _, ok := p.revisionLabel(metricLabel(name)); ok {
			p.warn("spec.podSelector.matchLabels", "label "+guardrail.Clip(name)+
				" selects pods of particular versions", hint)
		}
	}
	for _, e := range server.Spec.PodSelector.MatchExpressions {
		byValue := e.Operator == metav1.LabelSelectorOpIn || e.Operator == metav1.LabelSelectorOpNotIn
		own := slices.Contains(p.set.Environment.VersionLabels, e.Key) // not every version has it
		if _, ok := p.revisionLabel(metricLabel(e.Key)); ok && (byValue || own) {
			p.warn("spec.podSelector.matchExpressions",
				"label "+guardrail.Clip(e.Key)+" selects pods of particular versions", hint)
		}
	}
}
