package guardrail

import (
	"fmt"
	"strconv"

	"coalmine/lab/input/yamlpos"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
)

// MeshProvider is the mesh provider of the lab's Flagger, and the only one that works with Linkerd:
// gatewayapi:v1 waits for an observedGeneration that Linkerd does not write, and linkerd means SMI,
// which ignores analysis.match.
const MeshProvider = "gatewayapi:v1beta1"

// CanaryFor returns the Canary whose target is the named Deployment, or nil if there is none.
func (s *Set) CanaryFor(target string) *flaggerv1.Canary {
	for _, o := range s.Objects {
		if c, ok := o.Value.(*flaggerv1.Canary); ok && c.Spec.TargetRef.Name == target {
			return c
		}
	}
	return nil
}

// checkCanary checks a Canary.
func (c *checker) checkCanary(d *document, v *flaggerv1.Canary) {
	if c.checkTarget(d, "spec.targetRef", v.Spec.TargetRef.APIVersion, v.Spec.TargetRef.Kind, v.Spec.TargetRef.Name) {
		c.checkDuplicateTarget(d, v)
		c.checkService(d, v)
		c.checkServiceFields(d, v)
		c.checkServiceMatches(d, v)
		c.checkServiceHeaders(d, v)
	}
	c.checkProvider(d, v)
	c.checkUnsupported(d, v)
	c.checkAutoscalerRef(d, v.Spec.AutoscalerRef)
	if n := v.Spec.ProgressDeadlineSeconds; n != nil && *n < 1 {
		c.fail(d, "spec.progressDeadlineSeconds", strconv.Itoa(int(*n))+" is less than 1",
			"remove it for the default of 600")
	}
	if v.Spec.CanaryAnalysis != nil {
		c.fail(d, "spec.canaryAnalysis", "is deprecated", "write spec.analysis")
		return
	}
	if v.Spec.Analysis == nil {
		c.fail(d, "spec.analysis", "is missing",
			"write interval, threshold and stepWeights, or set spec.skipAnalysis for no checks")
		return
	}
	c.checkAnalysis(d, v)
}

// checkDuplicateTarget reports a second Canary for the same target.
func (c *checker) checkDuplicateTarget(d *document, v *flaggerv1.Canary) {
	for _, other := range c.docs {
		if other == d {
			return
		}
		if o, ok := other.object.Value.(*flaggerv1.Canary); ok && o.Spec.TargetRef.Name == v.Spec.TargetRef.Name {
			c.fail(d, "spec.targetRef.name", fmt.Sprintf("%s already has Canary %s in %s",
				Clip(v.Spec.TargetRef.Name), Clip(o.Name), other.object.Source), "keep one Canary per target")
			return
		}
	}
}

// checkProvider reports providers that do not work with Linkerd, and why.
func (c *checker) checkProvider(d *document, v *flaggerv1.Canary) {
	const hint = "write " + MeshProvider + ", or remove it; coalmine adopt does so"
	switch v.Spec.Provider {
	case "", MeshProvider:
	case "gatewayapi:v1":
		c.fail(d, "spec.provider", "gatewayapi:v1 stalls with Linkerd: Flagger waits for an observedGeneration "+
			"that Linkerd never writes (linkerd2#14964)", hint)
	default:
		c.fail(d, "spec.provider", Clip(v.Spec.Provider)+" is not the lab's mesh", hint)
	}
	if v.Spec.MetricsServer != "" && !IsLabPrometheus(v.Spec.MetricsServer) {
		c.note(d, "spec.metricsServer", "the lab's Prometheus answers in place of "+Clip(v.Spec.MetricsServer), "")
	}
}

// checkUnsupported reports parts of the spec that are for other meshes or that the lab does not
// support.
func (c *checker) checkUnsupported(d *document, v *flaggerv1.Canary) {
	for _, f := range []struct {
		set   bool
		field string
	}{
		{v.Spec.IngressRef != nil, "spec.ingressRef"},
		{v.Spec.RouteRef != nil, "spec.routeRef"},
		{v.Spec.UpstreamRef != nil, "spec.upstreamRef"},
		{v.Spec.Service.Delegation, "spec.service.delegation"},
		{v.Spec.Service.Headless, "spec.service.headless"},
	} {
		if f.set {
			c.fail(d, f.field, "does not work with Linkerd", "remove it")
		}
	}
}

// checkService checks the fields that the lab's clients and the mesh depend on.
func (c *checker) checkService(d *document, v *flaggerv1.Canary) {
	s, target := v.Spec.Service, v.Spec.TargetRef.Name
	if s.Name != "" && s.Name != target {
		c.fail(d, "spec.service.name", "the lab's clients call Service "+target+", not "+Clip(s.Name), "remove it")
	}
	if want, ok := c.env.Ports[target]; ok && int(s.Port) != want {
		c.fail(d, "spec.service.port", fmt.Sprintf("Service %s has port %d, not %d", target, want, s.Port),
			fmt.Sprintf("write port: %d", want))
	} else if !ok && (s.Port < 1 || s.Port > 65535) {
		c.fail(d, "spec.service.port", fmt.Sprintf("%d is not a port number", s.Port), "write the Service's port")
	}
	if len(s.GatewayRefs) == 0 {
		c.fail(d, "spec.service.gatewayRefs", "is missing: Flagger needs it for its HTTPRoute",
			fmt.Sprintf("write gatewayRefs: [{group: core, kind: Service, name: %s, namespace: %s, port: %d}]",
				target, c.env.Namespace, s.Port))
	}
	for i, ref := range s.GatewayRefs[:min(len(s.GatewayRefs), MaxItems)] {
		c.checkGatewayRef(d, yamlpos.Index("spec.service.gatewayRefs", i), ref, v)
	}
}

// checkGatewayRef checks that the parent of the route is the Service, where Linkerd's client
// proxies look for routes.
func (c *checker) checkGatewayRef(d *document, path string, ref gatewayv1beta1.ParentReference, v *flaggerv1.Canary) {
	g, k := "gateway.networking.k8s.io", "Gateway"
	if ref.Group != nil {
		g = string(*ref.Group)
	}
	if ref.Kind != nil {
		k = string(*ref.Kind)
	}
	if (g != "core" && g != "") || k != "Service" {
		c.fail(d, path, "refers to a "+Clip(k)+", but with Linkerd the parent of a route is the Service",
			"write group: core, kind: Service")
		return
	}
	if string(ref.Name) != v.Spec.TargetRef.Name {
		c.fail(d, path+".name", Clip(string(ref.Name))+" is not the target's Service",
			"write name: "+v.Spec.TargetRef.Name)
	}
	if ref.Namespace != nil {
		c.checkNamespace(d, path+".namespace", string(*ref.Namespace))
	}
	if ref.Port != nil && int32(*ref.Port) != v.Spec.Service.Port {
		c.fail(d, path+".port", fmt.Sprintf("%d is not the Service's port", *ref.Port),
			fmt.Sprintf("write port: %d", v.Spec.Service.Port))
	}
}
