package guardrail

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checker validates documents against each other and against the environment.
type checker struct {
	env Environment
	// origins are those of the input.
	origins  map[string][]Origin
	docs     []*document
	byKey    map[objectKey]*document
	findings []Finding
	notes    []Finding
	// refused are the documents that could not be decoded, others those of other kinds, templates
	// the files that are templates of Helm.
	refused   map[objectKey]bool
	others    []Other
	templates []string
	// found are the documents before their names are mapped by rules and the Deployments beside
	// them. mappedBy are the files with the rules and with Deployments that were used.
	found, workloads []*document
	// serverAuthorizations are expanded to other kinds.
	serverAuthorizations []*document
	rules                []NameRule
	mappedBy             []string
	// regexSize and queries are what the set has used of MaxTotalRegexSize and MaxQueries.
	regexSize, queries int
}

// objectKey identifies an object within the namespace. The kind of Linkerd's own HTTPRoutes has its
// group, since there are two kinds of this name.
type objectKey struct{ kind, name string }

const linkerdRoute = "HTTPRoute." + LinkerdGroup

func keyOf(d *document) objectKey {
	k := objectKey{d.object.Kind, d.object.Name}
	if k.kind == "HTTPRoute" && group(apiVersion(d)) == LinkerdGroup {
		k.kind = linkerdRoute
	}
	return k
}

func (c *checker) fail(d *document, field, message, hint string) {
	c.findings = append(c.findings, d.finding(field, message, hint))
	d.wrong = append(d.wrong, field)
}

// failRule is fail for an error that has a name.
func (c *checker) failRule(rule string, d *document, field, message, hint string) {
	f := d.finding(field, message, hint)
	f.Rule = rule
	c.findings = append(c.findings, f)
	d.wrong = append(d.wrong, field)
}

// check validates all documents.
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

// register adds the document to the index and reports a second one of the same name.
func (c *checker) register(d *document) {
	k := keyOf(d)
	first, exists := c.byKey[k]
	if !exists {
		c.byKey[k] = d
		return
	}
	c.fail(d, "metadata.name", fmt.Sprintf("%s %s already exists in %s", k.kind, Clip(k.name), first.object.Source),
		"keep one of them")
}

func (c *checker) checkKind(d *document) {
	// What the lab says of these kinds is clearer than what the API server says.
	switch v := d.object.Value.(type) {
	case *flaggerv1.Canary:
		c.checkCanary(d, v)
	case *flaggerv1.MetricTemplate:
		c.checkMetricTemplate(d, v)
	case *flaggerv1.AlertProvider:
		c.checkAlertProvider(d, v)
	case *Server:
		c.checkServerVersion(d)
	}
	if !c.admit(d) {
		return
	}
	switch v := d.object.Value.(type) {
	case *Server:
		c.checkServer(d, v)
	case *AuthorizationPolicy:
		c.checkAuthorizationPolicy(d, v)
	case *MeshTLSAuthentication:
		c.checkMeshTLS(d, v)
	case *NetworkAuthentication:
		c.checkNetworks(d, v)
	case *HTTPLocalRateLimitPolicy:
		c.checkRateLimitPolicy(d, v)
	case *ServiceProfile:
		c.checkProfile(d, v)
	case *gatewayv1.HTTPRoute:
		c.checkRoute(d, v)
	case *autoscalingv2.HorizontalPodAutoscaler:
		c.checkAutoscaler(d, v)
	case *corev1.Secret:
		c.checkSecret(d, v)
	}
}

// checkMeta checks name, namespace, labels and annotations. It sets a missing namespace.
func (c *checker) checkMeta(d *document) {
	name := d.meta.GetName()
	if name == "" {
		c.fail(d, "metadata.name", "is missing", "write a name")
	} else if !validName(d.object.Kind, name) {
		c.fail(d, "metadata.name", Clip(name)+" is not a valid name",
			"use lower-case letters, digits and '-', starting and ending with a letter or digit")
	}
	c.confine(d, name)
	var problems field.ErrorList
	path := field.NewPath("metadata")
	problems = append(problems, metavalidation.ValidateLabels(d.meta.GetLabels(), path.Child("labels"))...)
	problems = append(problems, apivalidation.ValidateAnnotations(d.meta.GetAnnotations(),
		path.Child("annotations"))...)
	for _, p := range problems {
		c.fail(d, p.Field, Clip(fmt.Sprint(p.BadValue))+": "+Clip(p.Detail), "correct the label or annotation")
	}
	c.checkRetries(d, "metadata.annotations", d.meta.GetAnnotations())
}

// checkRetries notes where annotations of a Service or a route ask for more retries than the sim plays.
// That the limit is a number is left to the checks of Linkerd's webhook and of the mesh.
func (c *checker) checkRetries(d *document, path string, annotations map[string]string) {
	n, err := strconv.ParseUint(annotations["retry.linkerd.io/limit"], 10, 16)
	if err == nil && n > MaxRetries {
		c.note(d, path, fmt.Sprintf("retry.linkerd.io/limit is %d: proxies of the sim send a request again %d times "+
			"at most", n, MaxRetries), "")
	}
}

// validName reports whether name is valid for the kind. Names that become host names or parts of
// them must be DNS labels.
func validName(kind, name string) bool {
	if kind == "Namespace" {
		return len(validation.IsDNS1123Label(name)) == 0
	}
	return len(validation.IsDNS1123Subdomain(name)) == 0
}

// confine checks that the object is in the lab's namespace, and sets it if it is missing.
func (c *checker) confine(d *document, name string) {
	if d.object.Kind == "Namespace" {
		if name != "" && name != c.env.Namespace {
			c.fail(d, "metadata.name", "Namespace "+Clip(name)+" is not the lab's namespace", "write "+c.env.Namespace)
		}
		if d.meta.GetNamespace() != "" {
			c.fail(d, "metadata.namespace", "a Namespace is not in a namespace", "remove it")
		}
		return
	}
	switch d.meta.GetNamespace() {
	case c.env.Namespace:
	case "":
		d.meta.SetNamespace(c.env.Namespace)
		d.object.Namespace = c.env.Namespace
	default:
		c.fail(d, "metadata.namespace", Clip(d.meta.GetNamespace())+" is not the lab's namespace",
			"write "+c.env.Namespace+", or remove it")
	}
}

// checkNamespace reports whether a reference stays in the lab's namespace.
func (c *checker) checkNamespace(d *document, field, namespace string) bool {
	if namespace == "" || namespace == c.env.Namespace {
		return true
	}
	c.fail(d, field, "refers to namespace "+Clip(namespace),
		"only "+c.env.Namespace+" is allowed; remove the namespace")
	return false
}

// findOrNote returns the document that a field refers to. For one that is missing it returns nil and
// notes that the lab does not have it, as it may be in the cluster already.
func (c *checker) findOrNote(d *document, field, kind, name string) *document {
	found := c.byKey[objectKey{kind, name}]
	if found == nil && !c.refused[objectKey{kind, name}] {
		c.note(d, field, fmt.Sprintf("the guardrails have no %s %s: the lab plays as if it were missing", kind,
			Clip(name)), "add it, or ignore this if it is elsewhere")
	}
	return found
}

// available is the hint that lists the objects of a kind, at most ten of them.
func (c *checker) available(kind string) string {
	var names []string
	for k := range c.byKey {
		if k.kind == kind {
			names = append(names, Clip(k.name))
		}
	}
	if len(names) == 0 {
		return "add it"
	}
	slices.Sort(names)
	return "available: " + strings.Join(names[:min(len(names), 10)], ", ")
}

// checkReleaseTarget requires a Canary for the service that the scenario releases.
func (c *checker) checkReleaseTarget() {
	if c.env.ReleaseTarget == "" || len(c.docs) == 0 {
		return
	}
	for k := range c.refused {
		if k.kind == flaggerv1.CanaryKind {
			return // it may be the one
		}
	}
	for _, d := range c.docs {
		if v, ok := d.object.Value.(*flaggerv1.Canary); ok && v.Spec.TargetRef.Name == c.env.ReleaseTarget {
			return
		}
	}
	c.findings = append(c.findings, Finding{
		Position: Position{File: WholeSet},
		Message:  "no Canary targets Deployment " + c.env.ReleaseTarget + ", which is released",
		Hint:     "add a Canary with spec.targetRef.name: " + c.env.ReleaseTarget,
	})
}
