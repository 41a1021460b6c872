package admission

import (
	"regexp"
	"strings"
	"time"
)

const gatewayGroup = "gateway.networking.k8s.io"

// Patterns of the CRDs.
var (
	groupPattern     = regexp.MustCompile(`^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	subdomainPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	hostPattern      = regexp.MustCompile(`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	kindPattern      = regexp.MustCompile(`^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$`)
	labelPattern     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	headerPattern    = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$`)
	durationPattern  = regexp.MustCompile(`^([0-9]{1,5}(h|m|s|ms)){1,4}$`)
	pathPattern      = regexp.MustCompile(`^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$`)
)

// httpRoute is the spec of gateway.networking.k8s.io HTTPRoutes, v1 and v1beta1 (gateway-api
// v1.2.1, config/crd/standard/gateway.networking.k8s.io_httproutes.yaml).
func httpRoute() *schema {
	filters := []string{"RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect",
		"URLRewrite",
		"ExtensionRef"}
	matches := list(match(true)).upTo(64)
	rules := list(httpRule(matches, gatewayFilters(filters), gatewayFilters(filters), true))
	return mapping(fields{
		"hostnames": hostnames(), "parentRefs": parentRefs(),
		"rules": rules.upTo(16).rule("While 16 rules and 64 matches per rule are allowed, the total number of matches "+
			"across all rules in a route must be less than 128", "write several routes", func(v any) bool {
			total := 0
			for _, r := range items(v) {
				total += matchCount(r)
			}
			return total <= 128
		}),
	})
}

// linkerdHTTPRoute is the spec of policy.linkerd.io HTTPRoutes (linkerd2,
// charts/linkerd-crds/templates/policy/httproute.yaml). It has no rules in CEL, and a rule has no
// filter ResponseHeaderModifier.
func linkerdHTTPRoute() *schema {
	return mapping(fields{
		"hostnames": hostnames(), "parentRefs": list(parentRef()).upTo(32),
		"rules": list(httpRule(list(match(false)).upTo(8),
			list(filter([]string{"RequestHeaderModifier", "RequestRedirect"}, false)).upTo(16),
			list(filter([]string{"RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect"},
				false)).upTo(16),
			false)).upTo(16),
	})
}

func hostnames() *schema { return list(length(1, 253).matching(hostPattern)).upTo(16) }

// parentRefs are told apart by their section if they refer to one parent.
func parentRefs() *schema {
	pairs := func(v any, valid func(p, q any) bool) bool {
		refs := items(v)
		for i, p := range refs {
			for _, q := range refs[:i] {
				if sameParent(p, q) && !valid(p, q) {
					return false
				}
			}
		}
		return true
	}
	return list(parentRef()).upTo(32).
		rule("sectionName must be specified when parentRefs includes 2 or more references to the same parent",
			"keep one of them, or write two routes", func(v any) bool {
				return pairs(v, func(p, q any) bool {
					return (text(field(p, "sectionName")) == "") == (text(field(q, "sectionName")) == "")
				})
			}).
		rule("sectionName must be unique when parentRefs includes 2 or more references to the same parent",
			"keep one of them, or write two routes", func(v any) bool {
				return pairs(v, func(p, q any) bool {
					return text(field(p, "sectionName")) != text(field(q, "sectionName"))
				})
			})
}

func sameParent(p, q any) bool {
	for name, preset := range map[string]string{"group": gatewayGroup, "kind": "Gateway", "name": "", "namespace": ""} {
		if orDefault(field(p, name), preset) != orDefault(field(q, name), preset) {
			return false
		}
	}
	return true
}

func orDefault(v any, preset string) string {
	if v == nil {
		return preset
	}
	return text(v)
}

func parentRef() *schema {
	return mapping(fields{
		"group": length(0, 253).matching(groupPattern), "kind": length(1, 63).matching(kindPattern),
		"name": length(1, 253), "namespace": length(1, 63).matching(labelPattern), "port": between(1, 65535),
		"sectionName": length(1, 253).matching(subdomainPattern),
	}).requires("name")
}

func httpRule(matches, filters, backendFilters *schema, gateway bool) *schema {
	backend := backendRef(gateway)
	backend.fields["filters"] = backendFilters
	backend.fields["weight"] = between(0, 1_000_000)
	timeouts := mapping(fields{})
	if gateway {
		timeouts = gatewayTimeouts()
	}
	s := mapping(fields{
		"matches": matches, "filters": filters, "backendRefs": list(backend).upTo(16), "timeouts": timeouts,
	})
	if !gateway {
		return s
	}
	return s.rule("RequestRedirect filter must not be used together with backendRefs", "remove one of them",
		func(v any) bool { return len(items(field(v, "backendRefs"))) == 0 || !hasFilter(v, "requestRedirect") }).
		rule("When using RequestRedirect filter with path.replacePrefixMatch, exactly one PathPrefix match must be "+
			"specified", "write one match with a path of type PathPrefix",
			func(v any) bool { return !replacesPrefix(v, "requestRedirect") || hasOnePrefix(v) }).
		rule("When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be "+
			"specified",
			"write one match with a path of type PathPrefix",
			func(v any) bool { return !replacesPrefix(v, "urlRewrite") || hasOnePrefix(v) })
}

func gatewayTimeouts() *schema {
	timeout := func() *schema { return anything().matching(durationPattern) }
	return mapping(fields{"request": timeout(), "backendRequest": timeout()}).
		rule("backendRequest timeout cannot be longer than request timeout", "lower backendRequest", func(v any) bool {
			request, err := time.ParseDuration(text(field(v, "request")))
			backend, backendErr := time.ParseDuration(text(field(v, "backendRequest")))
			return err != nil || backendErr != nil || request == 0 || backend <= request
		})
}

func backendRef(gateway bool) *schema {
	s := mapping(fields{
		"group": length(0, 253).matching(groupPattern), "kind": length(1, 63).matching(kindPattern),
		"name": length(1, 253), "namespace": length(1, 63).matching(labelPattern), "port": between(1, 65535),
	}).requires("name")
	if !gateway {
		return s
	}
	return s.rule("Must have port for Service reference", "write the Service's port", func(v any) bool {
		service := text(field(v, "group")) == "" && orDefault(field(v, "kind"), "Service") == "Service"
		return !service || field(v, "port") != nil
	})
}

// match is a match of a rule; with rules, its path is checked as the Gateway API does.
func match(rules bool) *schema {
	path := mapping(fields{"type": values("Exact", "PathPrefix", "RegularExpression"), "value": length(0, 1024)})
	if rules {
		addPathRules(path)
	}
	value := func(most int) *schema {
		return mapping(fields{
			"name": length(1, 256).matching(headerPattern), "type": values("Exact", "RegularExpression"),
			"value": length(1, most),
		}).requires("name", "value")
	}
	return mapping(fields{
		"path": path, "method": values("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"),
		"headers":     list(value(4096)).upTo(16).keyedBy("name"),
		"queryParams": list(value(1024)).upTo(16).keyedBy("name"),
	})
}

func addPathRules(path *schema) {
	literal := func(message, hint string, holds func(value string) bool) {
		path.rule(message, hint, func(v any) bool {
			return text(field(v, "type")) == "RegularExpression" || holds(orDefault(field(v, "value"), "/"))
		})
	}
	const types = " when type one of ['Exact', 'PathPrefix']"
	literal("value must be an absolute path and start with '/'"+types, "start it with /",
		func(value string) bool { return strings.HasPrefix(value, "/") })
	for _, part := range []string{"//", "/./", "/../", "%2f", "%2F", "#"} {
		literal("must not contain '"+part+"'"+types, "remove it",
			func(value string) bool { return !strings.Contains(value, part) })
	}
	for _, end := range []string{"/..", "/."} {
		literal("must not end with '"+end+"'"+types, "remove it",
			func(value string) bool { return !strings.HasSuffix(value, end) })
	}
	literal("must only contain valid characters (matching "+pathPattern.String()+") for types ['Exact', 'PathPrefix']",
		"encode the characters, or match by a RegularExpression", pathPattern.MatchString)
}

func matchCount(rule any) int {
	if v := field(rule, "matches"); v != nil {
		return len(items(v))
	}
	return 1 // the default
}

func hasFilter(rule any, name string) bool {
	for _, f := range items(field(rule, "filters")) {
		if field(f, name) != nil {
			return true
		}
	}
	return false
}

func replacesPrefix(rule any, filter string) bool {
	n := 0
	for _, f := range items(field(rule, "filters")) {
		path := field(f, filter, "path")
		if text(field(path, "type")) == "ReplacePrefixMatch" && field(path, "replacePrefixMatch") != nil {
			n++
		}
	}
	return n == 1
}

func hasOnePrefix(rule any) bool {
	matches := items(field(rule, "matches"))
	if field(rule, "matches") == nil {
		return true // the default is a prefix
	}
	return len(matches) == 1 && orDefault(field(matches[0], "path", "type"), "PathPrefix") == "PathPrefix"
}
