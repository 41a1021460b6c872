package guardrail

import (
	"fmt"
	"slices"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checker validates decoded documents against each other and the environment.
type checker struct {
	env      Environment
	docs     []*document
	byKey    map[objectKey]*document
	findings []Finding
}

// objectKey names an object within the one namespace.
type objectKey struct{ kind, name string }

func (c *checker) fail(d *document, field, what, todo string) {
	c.findings = append(c.findings, d.finding(field, what, todo))
}

// check runs every validation.
func (c *checker) check() {
	c.byKey = make(map[objectKey]*document, len(c.docs))
	for _, d := range c.docs {
		c.checkMeta(d)
		c.register(d)
	}
	for _, d := range c.docs {
		c.checkKind(d)
	}
	c.checkReleaseTarget()
}

// register indexes the document and refuses a second one of the same name.
func (c *checker) register(d *document) {
	k := objectKey{d.object.Kind, d.object.Name}
	first, twice := c.byKey[k]
	if !twice {
		c.byKey[k] = d
		return
	}
	c.fail(d, "metadata.name", fmt.Sprintf("%s %s is there twice, first in %s", k.kind, clip(k.name), first.object.Source), "keep one of them")
}

func (c *checker) checkKind(d *document) {
	switch v := d.object.Value.(type) {
	case *flaggerv1.Canary:
		c.checkCanary(d, v)
	case *flaggerv1.MetricTemplate:
		c.checkMetricTemplate(d, v)
	case *flaggerv1.AlertProvider:
		c.checkAlertProvider(d, v)
	case *Server:
		c.checkServer(d, v)
	case *AuthorizationPolicy:
		c.checkAuthorizationPolicy(d, v)
	case *MeshTLSAuthentication:
		c.checkMeshTLS(d, v)
	case *NetworkAuthentication:
		c.checkNetworks(d, v)
	case *gatewayv1beta1.HTTPRoute:
		c.checkRoute(d, v)
	case *autoscalingv2.HorizontalPodAutoscaler:
		c.checkAutoscaler(d, v)
	case *corev1.Secret:
		c.checkSecret(d, v)
	}
}

// checkMeta checks name, namespace, labels and annotations, and fills the namespace in.
func (c *checker) checkMeta(d *document) {
	name := d.meta.GetName()
	if name == "" {
		c.fail(d, "metadata.name", "is missing", "name the object")
	} else if !validName(d.object.Kind, name) {
		c.fail(d, "metadata.name", clip(name)+" is no valid name", "use lower-case letters, digits and '-', and begin and end with a letter or digit")
	}
	c.confine(d, name)
	var problems field.ErrorList
	path := field.NewPath("metadata")
	problems = append(problems, metavalidation.ValidateLabels(d.meta.GetLabels(), path.Child("labels"))...)
	problems = append(problems, apivalidation.ValidateAnnotations(d.meta.GetAnnotations(), path.Child("annotations"))...)
	for _, p := range problems {
		c.fail(d, p.Field, clip(fmt.Sprint(p.BadValue))+": "+clip(p.Detail), "correct it")
	}
}

// validName checks a name by the rules of its kind: those that become host names or parts of them are labels.
func validName(kind, name string) bool {
	if kind == "Namespace" || kind == "Canary" {
		return len(validation.IsDNS1123Label(name)) == 0
	}
	return len(validation.IsDNS1123Subdomain(name)) == 0
}

// confine keeps the object within the lab's namespace.
func (c *checker) confine(d *document, name string) {
	if d.object.Kind == "Namespace" {
		if name != "" && name != c.env.Namespace {
			c.fail(d, "metadata.name", "Namespace "+clip(name)+" is not the lab's", "only "+c.env.Namespace+" can be annotated")
		}
		if d.meta.GetNamespace() != "" {
			c.fail(d, "metadata.namespace", "a Namespace is in no namespace", "take it out")
		}
		return
	}
	switch d.meta.GetNamespace() {
	case c.env.Namespace:
	case "":
		d.meta.SetNamespace(c.env.Namespace)
		d.object.Namespace = c.env.Namespace
	default:
		c.fail(d, "metadata.namespace", clip(d.meta.GetNamespace())+" is not the lab's namespace", "write "+c.env.Namespace+", or leave it out")
	}
}

// checkNamespace refuses a reference into another namespace.
func (c *checker) checkNamespace(d *document, field, namespace string) bool {
	if namespace == "" || namespace == c.env.Namespace {
		return true
	}
	c.fail(d, field, "refers to namespace "+clip(namespace), "guardrails are confined to "+c.env.Namespace+"; leave the namespace out")
	return false
}

// find looks a referred object up.
func (c *checker) find(d *document, field, kind, name string) *document {
	found := c.byKey[objectKey{kind, name}]
	if found == nil {
		c.fail(d, field, fmt.Sprintf("there is no %s %s among the guardrails", kind, clip(name)), c.available(kind))
	}
	return found
}

// available lists what there is of a kind.
func (c *checker) available(kind string) string {
	var names []string
	for k := range c.byKey {
		if k.kind == kind {
			names = append(names, clip(k.name))
		}
	}
	if len(names) == 0 {
		return "add it"
	}
	slices.Sort(names)
	return "there is " + strings.Join(names[:min(len(names), 10)], ", ")
}

// checkReleaseTarget asks for a Canary of the service that the scenario releases.
func (c *checker) checkReleaseTarget() {
	if c.env.ReleaseTarget == "" {
		return
	}
	for _, d := range c.docs {
		if v, ok := d.object.Value.(*flaggerv1.Canary); ok && v.Spec.TargetRef.Name == c.env.ReleaseTarget {
			return
		}
	}
	c.findings = append(c.findings, Finding{
		Position: Position{File: WholeSet},
		Message:  "no Canary has Deployment " + c.env.ReleaseTarget + " as its target, and that is what is released",
		Hint:     "add a Canary with spec.targetRef.name: " + c.env.ReleaseTarget,
	})
}
