package guardrail

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"coalmine/lab/guardrail/admission"
	"coalmine/lab/guardrail/crd"
)

// admit reports what a cluster would refuse of the document, and whether it would admit it. What is
// refused for a field that has an error already is not reported again.
func (c *checker) admit(d *document) bool {
	value, err := jsonValue(d.root)
	if err != nil {
		return true // reported when it was decoded
	}
	object, _ := value.(map[string]any)
	if meta, ok := object["metadata"].(map[string]any); ok && meta["namespace"] == nil {
		meta["namespace"] = c.env.Namespace
	}
	problems := crd.Check(context.Background(), object)
	known := slices.Clone(d.wrong)
	for _, p := range problems {
		path := p.Field
		if p.Type == field.ErrorTypeRequired && len(p.Alternatives) > 0 {
			path = path[:strings.LastIndexByte(path, '.')]
		}
		if !slices.ContainsFunc(known, func(name string) bool { return related(name, path) }) {
			message, hint := refusal(p)
			c.fail(d, p.Field, message, hint)
		}
	}
	if len(problems) > 0 {
		return false
	}
	refusals := admission.Check(object)
	for _, r := range refusals {
		c.fail(d, r.Field, r.String(), r.Hint)
	}
	return len(refusals) == 0
}

// related reports whether one of two fields is the other, or in it.
func related(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// maxReason is the number of bytes of a reason of the API server that a message shows.
const maxReason = 300

// refusal returns what the API server says, and what to do.
func refusal(p crd.Problem) (message, hint string) {
	if p.Unknown {
		return "unknown field: the CRD does not have it, and kubectl refuses it", "remove it"
	}
	hint = "correct the value"
	switch p.Type {
	case field.ErrorTypeRequired:
		hint = "add " + p.Field[strings.LastIndexByte(p.Field, '.')+1:]
	case field.ErrorTypeNotSupported:
		hint = "use one of these"
	case field.ErrorTypeTooMany:
		hint = "remove some"
	case field.ErrorTypeTooLong:
		hint = "shorten it"
	case field.ErrorTypeDuplicate:
		hint = "keep one of them"
	}
	switch h := ruleHint(p.Reason); {
	case h != "":
		hint = h
	case len(p.Alternatives) > 0 && p.Type == field.ErrorTypeRequired:
		hint = "add " + strings.Join(p.Alternatives, " or ")
	case len(p.Alternatives) > 0:
		hint = "write either " + strings.Join(p.Alternatives, " or ")
	}
	return "Kubernetes refuses it: " + clipTo(p.Reason, maxReason), hint
}

// ruleHint returns what to do about a rule of the Gateway API, or "".
func ruleHint(reason string) string {
	for _, r := range []struct{ says, hint string }{
		{"Must have port for Service reference", "write the Service's port"},
		{"must be an absolute path", "start it with /"},
		{"must not contain '", "remove it"},
		{"must not end with '", "remove it"},
		{"must only contain valid characters", "encode the characters, or match by a RegularExpression"},
		{"must not be used together with backendRefs", "remove one of them"},
		{"exactly one PathPrefix match must be specified", "write one match with a path of type PathPrefix"},
		{"backendRequest timeout cannot be longer", "lower backendRequest"},
		{"filter cannot be repeated", "keep one of them"},
		{"but not both", "keep one of them"},
		{"sectionName must be", "keep one of them, or write two routes"},
		{"must be nil if the filter.type", "remove it, or correct the type"},
		{"total number of matches", "write several routes"},
	} {
		if strings.Contains(reason, r.says) {
			return r.hint
		}
	}
	name, rest, ok := strings.Cut(strings.TrimPrefix(reason, "Invalid value: filter."), " must be specified for ")
	if ok && strings.HasSuffix(rest, "filter.type") {
		return "add " + name
	}
	return ""
}
