package lint

import "coalmine/lab/guardrail"

// readingRules document the named errors of package guardrail.
func readingRules() []Rule {
	return []Rule{
		{Name: guardrail.RuleSeveralHeaders, Severity: guardrail.SeverityError, Section: sectionRouting,
			What: "One entry of match has several headers or several query parameters.",
			Why: "Flagger ranges over a Go map when it writes them into the HTTPRoute, so their order is random. " +
				"When it differs from the order before, Flagger takes the route for changed by others and resets it, " +
				"which takes all users off the canary; on a real cluster too.",
			Source: "flagger pkg/router/gateway_api_v1beta1.go, mapRouteMatches and Reconcile"},
		{Name: guardrail.RuleMatchURI, Severity: guardrail.SeverityError, Section: sectionRouting,
			What: "An entry of analysis.match has a field that the CRD does not have, such as uri.",
			Why: "kubectl refuses the field. Helm and Flux send it without strict validation, and the API server " +
				"drops it: the entry then matches other requests too.",
			Source: "flagger artifacts/flagger/crd.yaml, spec.analysis.match; " +
				"kubernetes.io/docs, field validation"},
		{Name: guardrail.RuleInvalidHost, Severity: guardrail.SeverityError, Section: sectionRouting,
			What: "One of spec.service.hosts is no host name, for example \"*\".",
			Why: "The API server refuses it as a host name of an HTTPRoute. Flagger cannot write its route, and the " +
				"Canary is never initialized.",
			Source: "Gateway API, HTTPRoute hostnames; flagger pkg/router/gateway_api_v1beta1.go, Reconcile"},
	}
}

// Rules about comments that suppress findings, which package findings reports.
const (
	RuleSuppression       = "suppression"
	RuleUnusedSuppression = "unused-suppression"
)

func suppressionRules() []Rule {
	const source = "docs/lint.md, Suppressing a finding"
	return []Rule{
		{Name: RuleSuppression, Severity: guardrail.SeverityWarning, Section: sectionFolder,
			What: "A comment that suppresses a finding has no reason, or names no rule.",
			Why:  "Who reads the manifest in a year must know why the finding does not apply.", Source: source},
		{Name: RuleUnusedSuppression, Severity: guardrail.SeverityNote, Section: sectionFolder,
			What: "A comment suppresses nothing.",
			Why:  "It stands for a finding that is gone, and would hide a new one.", Source: source},
	}
}
