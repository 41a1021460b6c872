package k8s

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	v1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
)

func TestTargetPort(t *testing.T) {
	for _, c := range []struct {
		target intstr.IntOrString
		number int
		name   string
	}{
		{intstr.IntOrString{}, 80, ""},
		{intstr.FromInt32(8080), 8080, ""},
		{intstr.FromString("http"), 0, "http"},
	} {
		number, name := TargetPort(corev1.ServicePort{Port: 80, TargetPort: c.target})
		if number != c.number || name != c.name {
			t.Errorf("target %v: got %d %q, want %d %q", c.target, number, name, c.number, c.name)
		}
	}
}

func TestRouteDefaults(t *testing.T) {
	created := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	route := Route(&v1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Name: "backend", Namespace: "develop",
			CreationTimestamp: metav1.NewTime(created)},
		Spec: v1.HTTPRouteSpec{
			CommonRouteSpec: v1.CommonRouteSpec{ParentRefs: []v1.ParentReference{
				{Name: "gateway"}, // no kind: a Gateway
				{Name: "backend", Kind: new(v1.Kind("Service")), Port: new(v1.PortNumber(80))},
			}},
			Rules: []v1.HTTPRouteRule{{
				Matches: []v1.HTTPRouteMatch{{Path: &v1.HTTPPathMatch{},
					Headers: []v1.HTTPHeaderMatch{{Name: "x-canary", Value: "always"}}}},
				BackendRefs: []v1.HTTPBackendRef{
					{BackendRef: v1.BackendRef{
						BackendObjectReference: v1.BackendObjectReference{Name: "backend-primary"},
					}},
					{BackendRef: v1.BackendRef{
						BackendObjectReference: v1.BackendObjectReference{Name: "backend-canary"},
						Weight:                 new(int32(0)),
					}},
				},
			}},
		},
	})
	if !route.Created.Equal(created) {
		t.Errorf("created %v, want %v", route.Created, created)
	}
	if want := (mesh.Parent{Service: "backend", Namespace: "develop", Port: 80}); len(route.Parents) != 1 ||
		route.Parents[0] != want {
		t.Errorf("parents %v, want only the Service", route.Parents)
	}
	rule := route.Rules[0]
	if got := rule.String(); got != "header x-canary: always" {
		t.Errorf("match %q, want every path and the header", got)
	}
	if rule.Backends[0].Weight != 1 || rule.Backends[1].Weight != 0 || rule.Backends[0].Namespace != "develop" {
		t.Errorf("backends %v, want weights 1 (none given) and 0 in the route's namespace", rule.Backends)
	}
}

func TestPoliciesFromManifests(t *testing.T) {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Namespace: "develop"} }
	p, err := Policies([]runtime.Object{
		&guardrail.Server{ObjectMeta: meta("backend"), Spec: guardrail.ServerSpec{
			PodSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"backend", "backend-primary"}}}},
			Port: intstr.FromString("http"), AccessPolicy: "deny",
		}},
		&guardrail.AuthorizationPolicy{ObjectMeta: meta("frontend-only"), Spec: guardrail.AuthorizationPolicySpec{
			TargetRef: guardrail.PolicyTargetRef{Group: guardrail.LinkerdGroup, Kind: "Server",
				Name: "backend"},
			RequiredAuthenticationRefs: []guardrail.AuthenticationRef{{Group: guardrail.LinkerdGroup,
				Kind: "MeshTLSAuthentication", Name: "frontend"}},
		}},
		&guardrail.MeshTLSAuthentication{ObjectMeta: meta("frontend"), Spec: guardrail.MeshTLSAuthenticationSpec{
			IdentityRefs: []guardrail.AuthenticationRef{{Kind: "ServiceAccount", Name: "frontend"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := mesh.Workload{Namespace: "develop", Labels: map[string]string{"app": "backend-primary"},
		PortNames: map[string]int{"http": 8080}}
	for account, allowed := range map[string]bool{"frontend": true, "other": false} {
		client := mesh.Client{Identity: mesh.Identity(account, "develop"), Addr: netip.MustParseAddr("10.0.0.1")}
		if d := p.Decide(server, 8080, client); d.Allowed != allowed {
			t.Errorf("%s: allowed is %v, want %v (%+v)", account, d.Allowed, allowed, d)
		}
	}
}

func TestPoliciesLeaveOutInvalidObjects(t *testing.T) {
	networks := func(name string, n guardrail.Network) runtime.Object {
		return &guardrail.NetworkAuthentication{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "develop"},
			Spec: guardrail.NetworkAuthenticationSpec{Networks: []guardrail.Network{n}}}
	}
	p, err := Policies([]runtime.Object{
		networks("broken", guardrail.Network{CIDR: "10.0.0.0/99"}),
		networks("hole", guardrail.Network{CIDR: "10.0.0.0/8", Except: []string{"everyone"}}),
		&corev1.Pod{},
		networks("fine", guardrail.Network{CIDR: "10.0.0.0/8", Except: []string{"10.1.2.3"}}),
	})
	for _, want := range []string{"develop/broken", "develop/hole", "*v1.Pod"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
	if len(p.Networks) != 1 || p.Networks[0].Name != "fine" ||
		p.Networks[0].Networks[0].Except[0].String() != "10.1.2.3/32" {
		t.Errorf("got %+v, want the valid one", p.Networks)
	}
}
