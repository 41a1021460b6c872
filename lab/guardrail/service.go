package guardrail

import (
	"fmt"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"coalmine/lab/input/yamlpos"
)

// checkServiceFields checks what Flagger copies to the Services and their route, and what an API
// server or Linkerd would refuse there.
func (c *checker) checkServiceFields(d *document, v *flaggerv1.Canary) {
	s := v.Spec.Service
	switch port := s.TargetPort; {
	case port.Type == intstr.Int && (port.IntVal < 0 || port.IntVal > 65535):
		c.fail(d, "spec.service.targetPort", fmt.Sprintf("%d is not a port number", port.IntVal),
			"write the container port")
	case port.Type == intstr.String && len(validation.IsValidPortName(port.StrVal)) > 0:
		c.fail(d, "spec.service.targetPort", Clip(port.StrVal)+" is not a valid port name",
			"write the number or name of the container port")
	}
	if s.PortName != "" && len(validation.IsDNS1123Label(s.PortName)) > 0 {
		c.fail(d, "spec.service.portName", Clip(s.PortName)+" is not a valid port name",
			"use lower-case letters, digits and '-'")
	}
	c.checkHosts(d, v.Spec.TargetRef.Name, s.Hosts)
	for name, m := range map[string]*flaggerv1.CustomMetadata{"apex": s.Apex, "primary": s.Primary,
		"canary": s.Canary} {
		if m != nil {
			c.checkServiceMetadata(d, name, m)
		}
	}
}

// checkServiceMetadata checks labels and annotations of a Service.
func (c *checker) checkServiceMetadata(d *document, name string, m *flaggerv1.CustomMetadata) {
	path := field.NewPath("spec", "service", name)
	problems := metavalidation.ValidateLabels(m.Labels, path.Child("labels"))
	problems = append(problems, apivalidation.ValidateAnnotations(m.Annotations, path.Child("annotations"))...)
	for _, p := range problems {
		c.fail(d, p.Field, Clip(fmt.Sprint(p.BadValue))+": "+Clip(p.Detail), "correct the label or annotation")
	}
	c.checkRetries(d, path.Child("annotations").String(), m.Annotations)
}

// checkHosts checks the host names of Flagger's route as the Gateway API does.
// Source: gateway-api apis/v1/shared_types.go, Hostname.
func (c *checker) checkHosts(d *document, target string, hosts []string) {
	const path = "spec.service.hosts"
	if !c.checkLength(d, path, len(hosts)) {
		return
	}
	for i, host := range hosts {
		name := strings.TrimPrefix(host, "*.")
		if len(validation.IsDNS1123Subdomain(name)) > 0 || isAddress(name) {
			c.failRule(RuleInvalidHost, d, yamlpos.Index(path, i), Clip(host)+" is not a host name of the Gateway "+
				"API, so Flagger cannot create its route",
				"write "+ClientHost(target, c.env.Namespace)+", which clients call, or remove hosts")
		}
	}
}

// ClientHost is the host name by which the lab's clients call a Service.
func ClientHost(service, namespace string) string { return service + "." + namespace }
