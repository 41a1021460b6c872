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

// ParseManifests reads YAML documents of a scenario's own: its environment, or what comes with a version. The name stands in errors.
// There is nothing to apply (nil) where there are none.
func ParseManifests(s *scenario.Scenario, name, manifests string) (*guardrail.Set, error) {
	if strings.TrimSpace(manifests) == "" {
		return nil, nil
	}
	env := guardrail.EnvironmentOf(s)
	env.ReleaseTarget = "" // the platform brings no canary
	set, err := guardrail.Parse(map[string][]byte{name: []byte(manifests)}, env)
	if err != nil {
		return nil, fmt.Errorf("the scenario's manifests: %w", err)
	}
	return set, nil
}

// AppliedFact tells that an object of an owner's was created.
func AppliedFact(o guardrail.Object, owner string) event.Applied {
	fact := event.Applied{ObjectKind: o.Kind, Namespace: o.Namespace, Name: o.Name, Owner: owner}
	if owner == event.OwnerLearner {
		fact.Source = o.Source.String()
	}
	if m, ok := o.Value.(metav1.Object); ok {
		fact.Annotations = m.GetAnnotations()
	}
	return fact
}

// CanaryFact tells the status of a Canary. Its phase is "" before Flagger has seen it.
func CanaryFact(c *flaggerv1.Canary) event.Canary {
	return event.Canary{
		Name: c.Name, Namespace: scenario.Namespace, Target: c.Spec.TargetRef.Name, Phase: string(c.Status.Phase),
		Weight: c.Status.CanaryWeight, Iterations: c.Status.Iterations, FailedChecks: c.Status.FailedChecks,
		Threshold: c.GetAnalysisThreshold(), MaxIterations: c.GetAnalysis().Iterations,
	}
}

// AffinityCookies are those that Flagger drew for session affinity, as NAME=VALUE. Their values differ in every run and mean nothing.
type AffinityCookies []string

// Add takes the cookies that stand in a Canary's status.
func (c *AffinityCookies) Add(canary *flaggerv1.Canary) {
	for _, cookie := range []string{canary.Status.SessionAffinityCookie, canary.Status.PrimarySessionAffinityCookie} {
		if cookie != "" && !slices.Contains(*c, cookie) {
			*c = append(*c, cookie)
		}
	}
}

// Mask writes NAME-value where a drawn value stands in a text.
func (c AffinityCookies) Mask(text string) string {
	for _, cookie := range c {
		name, drawn, _ := strings.Cut(cookie, "=")
		if drawn != "" {
			text = strings.ReplaceAll(text, drawn, name+"-value")
		}
	}
	return text
}

// RouteFact tells how clients' proxies route, without the values of cookies.
func RouteFact(r mesh.Route, cookies AffinityCookies) event.Route {
	fact := event.Route{Name: r.Name}
	for _, rule := range r.Rules {
		noted := event.RouteRule{Match: cookies.Mask(rule.String())}
		for _, b := range rule.Backends {
			noted.Backends = append(noted.Backends, event.RouteBackend{Service: b.Service, Weight: b.Weight})
		}
		fact.Rules = append(fact.Rules, noted)
	}
	return fact
}
