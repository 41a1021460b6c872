package admission

import "regexp"

const policyGroup = "policy.linkerd.io"

// The schemas of this file are those of linkerd2, charts/linkerd-crds/templates/policy/*.yaml and
// serviceprofile.yaml.

// server is the spec of a Server. Versions before v1beta2 select only pods.
func server(version string) *schema {
	selector := func() *schema {
		return mapping(fields{"matchExpressions": list(mapping(fields{
			"operator": values("In", "NotIn", "Exists", "DoesNotExist"),
		}).requires("key", "operator"))})
	}
	s := mapping(fields{"podSelector": selector(), "externalWorkloadSelector": selector()})
	if version == "v1beta1" {
		return s.requires("podSelector", "port")
	}
	return s.requires("port").oneOf("podSelector", "externalWorkloadSelector")
}

func authorizationPolicy() *schema {
	return mapping(fields{
		"targetRef": targetRef(), "requiredAuthenticationRefs": list(authenticationRef().requires("kind", "name")),
	}).requires("targetRef", "requiredAuthenticationRefs")
}

func targetRef() *schema {
	return mapping(fields{
		"group": length(0, 253).matching(groupPattern), "kind": length(1, 63).matching(kindPattern), "name": length(1,
			253),
	}).requires("kind", "name")
}

func authenticationRef() *schema {
	s := targetRef()
	s.fields["namespace"] = length(0, 253)
	return s
}

func meshTLSAuthentication() *schema {
	return mapping(fields{
		"identities":   list(anything()).atLeast(1),
		"identityRefs": list(authenticationRef().requires("kind")).atLeast(1),
	}).oneOf("identities", "identityRefs")
}

func networkAuthentication() *schema {
	return mapping(fields{"networks": list(mapping(fields{}).requires("cidr"))}).requires("networks")
}

func rateLimitPolicy() *schema {
	limit := func() *schema { return mapping(fields{}).requires("requestsPerSecond") }
	client := targetRef()
	client.fields["namespace"] = length(1, 63).matching(labelPattern)
	return mapping(fields{
		"targetRef": targetRef(), "total": limit(), "identity": limit(),
		"overrides": list(mapping(fields{"clientRefs": list(client)}).requires("requestsPerSecond", "clientRefs")),
	}).requires("targetRef")
}

var weightPattern = regexp.MustCompile(
	`^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`)

func serviceProfile() *schema {
	return mapping(fields{
		"dstOverrides": list(mapping(fields{"weight": anything().matching(weightPattern)})),
		"retryBudget":  mapping(fields{}).requires("minRetriesPerSecond", "retryRatio", "ttl"),
		"routes": list(mapping(fields{
			"responseClasses": list(mapping(fields{}).requires("condition")),
		}).requires("condition", "name")),
	})
}
