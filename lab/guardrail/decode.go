package guardrail

import (
	"reflect"
	"slices"

	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	"go.yaml.in/yaml/v3"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"
)

// decode decodes the object of a document, or reports why it cannot. The document has its kind.
func (d *document) decode() []Finding {
	d.dropServerFields()
	value := d.kind.newObject()
	c := &fieldChecker{document: d, kind: d.kind.name}
	c.check(reflect.TypeOf(value).Elem(), d.root, "")
	if len(c.findings) > 0 {
		return c.findings
	}
	if findings := d.unmarshal(value); len(findings) > 0 {
		return findings
	}
	if _, ok := d.child("metadata"); !ok {
		return []Finding{d.finding("metadata", "is missing", "add metadata with a name")}
	}
	setDefaults(value, apiVersion(d))
	d.meta = value.(metav1.Object)
	d.object = Object{
		Kind: d.kind.name, Namespace: d.meta.GetNamespace(), Name: d.meta.GetName(),
		Source: d.position(""), Value: value, document: d,
	}
	return nil
}

// unmarshal decodes the document with Kubernetes' own strict decoder. It reports what the field
// checks before it did not find.
func (d *document) unmarshal(value runtime.Object) []Finding {
	data, err := nodeJSON(d.root)
	if err != nil {
		return []Finding{d.finding("", Clip(err.Error()), "correct the value")}
	}
	strict, err := kjson.UnmarshalStrict(data, value)
	if err != nil {
		strict = append(strict, err)
	}
	var findings []Finding
	for _, err := range strict {
		findings = append(findings, d.finding("", Clip(err.Error()), "correct the field"))
	}
	return findings
}

// lastApplied is the annotation in which kubectl keeps what it applied.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// dropServerFields removes what only controllers and the API server set, as the output of kubectl
// get has it. A status, above all, could make Flagger believe that the canary has already succeeded.
func (d *document) dropServerFields() {
	d.root = d.without(d.root, func(key string) bool { return key != "status" })
	meta, ok := d.child("metadata")
	if !ok || meta.Kind != yaml.MappingNode {
		return
	}
	kept := d.without(meta, func(key string) bool {
		return slices.Contains([]string{"name", "namespace", "labels", "annotations"}, key)
	})
	for i := 0; i+1 < len(kept.Content); i += 2 {
		if notes := kept.Content[i+1]; kept.Content[i].Value == "annotations" && notes.Kind == yaml.MappingNode {
			kept = setValue(kept, i+1, d.without(notes, func(key string) bool { return key != lastApplied }))
		}
	}
	for i := 0; i+1 < len(d.root.Content); i += 2 {
		if d.root.Content[i].Value == "metadata" {
			d.root = setValue(d.root, i+1, kept)
		}
	}
}

// without returns a copy of a mapping with the fields that are kept, and notes that others were
// dropped. Fields without a value do not count.
func (d *document) without(n *yaml.Node, keep func(key string) bool) *yaml.Node {
	c := *n
	c.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if keep(n.Content[i].Value) {
			c.Content = append(c.Content, n.Content[i], n.Content[i+1])
			continue
		}
		if value := n.Content[i+1]; !isNull(value) && (value.Kind == yaml.ScalarNode || len(value.Content) > 0) {
			d.dropped = append(d.dropped, n.Content[i].Value)
		}
	}
	return &c
}

// setValue returns a copy of a mapping with one value replaced.
func setValue(n *yaml.Node, i int, value *yaml.Node) *yaml.Node {
	c := *n
	c.Content = slices.Clone(n.Content)
	c.Content[i] = value
	return &c
}

// apiVersion returns the version in which the document is written.
func apiVersion(d *document) string {
	n, _ := d.child("apiVersion")
	return n.Value
}

// setDefaults converts an object to the first version of its kind and fills in defaults that
// controllers rely on, as an API server would. It was given in the version given.
func setDefaults(value runtime.Object, given string) {
	switch v := value.(type) {
	case *corev1.Secret:
		if len(v.StringData) > 0 && v.Data == nil {
			v.Data = make(map[string][]byte, len(v.StringData))
		}
		for key, text := range v.StringData {
			v.Data[key] = []byte(text)
		}
		v.StringData = nil
	case *autoscalingv2.HorizontalPodAutoscaler:
		if v.Spec.MinReplicas == nil {
			v.Spec.MinReplicas = new(int32(1))
		}
	case *Server:
		v.APIVersion = ServerVersion
		if v.Spec.AccessPolicy == "" {
			v.Spec.AccessPolicy = "deny"
		}
	case *gatewayv1.HTTPRoute:
		v.APIVersion = RouteVersion
		if group(given) == LinkerdGroup {
			v.APIVersion = ServerVersion
		}
	}
}
