package workloads

import (
	"fmt"
	"slices"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// ParseManifests parses YAML documents of a scenario: its environment, or the manifests of a
// version. The name appears in errors. The set is nil if there are no documents.
func ParseManifests(s *scenario.Scenario, name, manifests string) (*guardrail.Set, error) {
	if strings.TrimSpace(manifests) == "" {
		return nil, nil
	}
	env := guardrail.EnvironmentOf(s)
	env.ReleaseTarget = "" // these manifests have no canary
	set, err := guardrail.Parse(map[string][]byte{name: []byte(manifests)}, env)
	if err != nil {
		return nil, fmt.Errorf("the scenario's manifests: %w", err)
	}
	return set, nil
}

// AppliedFact returns the fact that an object of a set was applied.
func AppliedFact(set *guardrail.Set, o guardrail.Object, owner string) event.Applied {
	fact := event.Applied{ObjectKind: o.Kind, Namespace: o.Namespace, Name: o.Name, Owner: owner}
	if owner == event.OwnerLearner {
		fact.Source = o.Source.String()
	}
	if m, ok := o.Value.(metav1.Object); ok {
		fact.Annotations = m.GetAnnotations()
	}
	if c, ok := o.Value.(*flaggerv1.Canary); ok && c.Spec.Analysis != nil {
		for _, m := range c.Spec.Analysis.Metrics {
			if !set.LeavesOut(c, m) {
				fact.Metrics = append(fact.Metrics, m.Name)
			}
		}
	}
	return fact
}

// CanaryFact returns the status of a Canary. Its phase is "" before Flagger has seen it.
func CanaryFact(c *flaggerv1.Canary) event.Canary {
	return event.Canary{
		Name: c.Name, Namespace: scenario.Namespace, Target: c.Spec.TargetRef.Name, Phase: string(c.Status.Phase),
		Weight: c.Status.CanaryWeight, Iterations: c.Status.Iterations, FailedChecks: c.Status.FailedChecks,
		Threshold: c.GetAnalysisThreshold(), MaxIterations: c.GetAnalysis().Iterations,
	}
}

// AffinityCookies are the cookies that Flagger generated for session affinity, as NAME=VALUE. The
// values are random.
type AffinityCookies []string

// Add adds the cookies in a Canary's status.
func (c *AffinityCookies) Add(canary *flaggerv1.Canary) {
	for _, cookie := range []string{canary.Status.SessionAffinityCookie, canary.Status.PrimarySessionAffinityCookie} {
		if cookie != "" && !slices.Contains(*c, cookie) {
			*c = append(*c, cookie)
		}
	}
}

// Mask replaces the random values in a text by NAME-value.
func (c AffinityCookies) Mask(text string) string {
	for _, cookie := range c {
		name, drawn, _ := strings.Cut(cookie, "=")
		if drawn != "" {
			text = strings.ReplaceAll(text, drawn, name+"-value")
		}
	}
	return text
}

// RouteFact returns how clients' proxies route, with cookies masked.
func RouteFact(r mesh.Route, cookies AffinityCookies) event.Route {
	fact := event.Route{Name: r.Name}
	for _, rule := range r.Rules {
		converted := event.RouteRule{Match: cookies.Mask(rule.String())}
		for _, b := range rule.Backends {
			converted.Backends = append(converted.Backends, event.RouteBackend{Service: b.Service, Weight: b.Weight})
		}
		fact.Rules = append(fact.Rules, converted)
	}
	return fact
}
