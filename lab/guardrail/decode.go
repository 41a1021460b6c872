package guardrail

import (
	"reflect"

	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	"go.yaml.in/yaml/v3"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"
)

// decode decodes a tree into its typed object.
func decode(file string, root *yaml.Node) (*document, []Finding) {
	d := &document{file: file, root: root}
	k, findings := d.identify()
	if len(findings) > 0 {
		return nil, findings
	}
	d.kind = k
	value := k.newObject()
	c := &fieldChecker{file: file, kind: k.name}
	c.check(reflect.TypeOf(value).Elem(), root, "")
	if len(c.findings) > 0 {
		return nil, c.findings
	}
	if findings := d.unmarshal(value); len(findings) > 0 {
		return nil, findings
	}
	if findings := d.forbiddenFields(); len(findings) > 0 {
		return nil, findings
	}
	setDefaults(value, apiVersion(d))
	d.meta = value.(metav1.Object)
	d.object = Object{
		Kind: k.name, Namespace: d.meta.GetNamespace(), Name: d.meta.GetName(),
		Source: d.position(""), Value: value, document: d,
	}
	return d, nil
}

// identify returns the kind of the document.
func (d *document) identify() (kind, []Finding) {
	var id [2]string
	for i, field := range []string{"apiVersion", "kind"} {
		n, ok := d.child(field)
		if !ok || n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Value == "" {
			return kind{}, []Finding{d.finding(field, "is missing or not a string", "write the object's "+field)}
		}
		id[i] = n.Value
	}
	k, refused := findKind(id[0], id[1])
	if refused != nil {
		return kind{}, []Finding{d.finding(refused.field, refused.message, refused.hint)}
	}
	return k, nil
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

// forbiddenFields reports fields that only controllers and the API server set. A status, above all,
// could make Flagger believe that the canary has already succeeded.
func (d *document) forbiddenFields() []Finding {
	var findings []Finding
	if status, ok := d.child("status"); ok && !isNull(status) && len(status.Content) > 0 {
		findings = append(findings, d.finding("status", "is set by controllers", "remove it"))
	}
	meta, ok := d.child("metadata")
	if !ok {
		return append(findings, d.finding("metadata", "is missing", "add metadata with a name"))
	}
	for i := 0; i+1 < len(meta.Content); i += 2 {
		switch key := meta.Content[i].Value; key {
		case "name", "namespace", "labels", "annotations":
		default:
			if !isNull(meta.Content[i+1]) {
				findings = append(findings, d.finding(joinPath("metadata", key), "is set by the cluster", "remove it"))
			}
		}
	}
	return findings
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
