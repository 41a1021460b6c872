package guardrail

import (
	"reflect"
	"strings"

	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	"go.yaml.in/yaml/v3"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"
)

// decode makes the typed object of a tree, or says why not.
func decode(file string, root *yaml.Node) (*document, []Finding) {
	d := &document{file: file, root: root}
	k, findings := d.identify()
	if len(findings) > 0 {
		return nil, findings
	}
	d.kind = k
	value := k.newObject()
	c := &fieldChecker{file: file, hints: fieldHints(k.name)}
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
	setDefaults(value)
	d.meta = value.(metav1.Object)
	d.object = Object{Kind: k.name, Namespace: d.meta.GetNamespace(), Name: d.meta.GetName(), Source: d.position(""), Value: value}
	return d, nil
}

// finding is one at a field of the document.
func (d *document) finding(field, what, todo string) Finding {
	return Finding{Position: d.position(field), Field: field, Message: what, Hint: todo}
}

func (d *document) identify() (kind, []Finding) {
	var id [2]string
	for i, field := range []string{"apiVersion", "kind"} {
		_, n := child(d.root, field)
		if n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Value == "" {
			return kind{}, []Finding{d.finding(field, "is missing or not a text", "write the object's "+field)}
		}
		id[i] = n.Value
	}
	k, what, todo := findKind(id[0], id[1])
	if what == "" {
		return k, nil
	}
	field := "kind"
	if strings.Contains(todo, "apiVersion:") {
		field = "apiVersion"
	}
	return kind{}, []Finding{d.finding(field, what, todo)}
}

// unmarshal is the strict decoding that Kubernetes itself uses. The field checks came first, so an error here is one that
// they do not know.
func (d *document) unmarshal(value runtime.Object) []Finding {
	data, err := nodeJSON(d.root)
	if err != nil {
		return []Finding{d.finding("", clip(err.Error()), "correct the value")}
	}
	strict, err := kjson.UnmarshalStrict(data, value)
	if err != nil {
		strict = append(strict, err)
	}
	var findings []Finding
	for _, err := range strict {
		findings = append(findings, d.finding("", clip(err.Error()), "correct the field"))
	}
	return findings
}

// forbiddenFields finds fields that belong to controllers and the API server. A status, above all, would tell Flagger that the
// canary has already succeeded.
func (d *document) forbiddenFields() []Finding {
	var findings []Finding
	if _, status := child(d.root, "status"); status != nil && !isNull(status) && len(status.Content) > 0 {
		findings = append(findings, d.finding("status", "is written by controllers", "take it out"))
	}
	_, meta := child(d.root, "metadata")
	if meta == nil {
		return append(findings, d.finding("metadata", "is missing", "write metadata with a name"))
	}
	for i := 0; i+1 < len(meta.Content); i += 2 {
		switch key := meta.Content[i].Value; key {
		case "name", "namespace", "labels", "annotations":
		default:
			if !isNull(meta.Content[i+1]) {
				findings = append(findings, d.finding(joinPath("metadata", key), "is set by the cluster", "take it out"))
			}
		}
	}
	return findings
}

// setDefaults does what an API server would: one version per kind, and the defaults that controllers rely on.
func setDefaults(value runtime.Object) {
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
	case *gatewayv1beta1.HTTPRoute:
		v.APIVersion = gatewayv1beta1.SchemeGroupVersion.String()
	}
}

// fieldHints explains fields that a production cluster knows and the lab does not.
func fieldHints(kind string) map[string]string {
	switch kind {
	case "HTTPRoute":
		const annotations = "Linkerd also takes it from annotations of the Service (timeout.linkerd.io/request, retry.linkerd.io/http)"
		return map[string]string{
			"spec.rules.timeouts": annotations,
			"spec.rules.retry":    annotations,
			"spec.rules.name":     "it came with a later Gateway API than Flagger's; leave it out",
		}
	case "Server":
		return map[string]string{"spec.externalWorkloadSelector": "select pods with podSelector"}
	}
	return nil
}
