package testmesh_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	sigsyaml "sigs.k8s.io/yaml"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/guardrail"
	"coalmine/manifests"
)

// params are what the installer renders the mesh's manifests with.
func params(t *testing.T) manifests.Params {
	t.Helper()
	m, err := testmesh.Mesh("coalmine.dev/testmesh:x")
	if err != nil {
		t.Fatal(err)
	}
	return manifests.Params{Mesh: m.Name, MeshImage: m.Image, Roots: "roots\n", Extra: m.Manifests}
}

// objects returns the mesh's objects as the API server would read them, by kind and name. Unknown
// fields are errors. Those of Prometheus are left out.
func objects(t *testing.T) map[string]any {
	t.Helper()
	m, err := testmesh.Mesh("coalmine.dev/testmesh:x")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, step := range m.Steps {
		for _, name := range step.Manifests {
			if strings.HasPrefix(name, "testmesh/prometheus") {
				continue
			}
			one, err := manifests.Render(name, params(t))
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString("\n---\n" + string(one))
		}
	}
	found := map[string]any{}
	for doc := range strings.SplitSeq(text.String(), "\n---\n") {
		var meta metav1.PartialObjectMetadata
		if err := sigsyaml.Unmarshal([]byte(doc), &meta); err != nil || meta.Kind == "" {
			continue
		}
		object := map[string]any{
			"ServiceAccount": &corev1.ServiceAccount{}, "Service": &corev1.Service{},
			"Deployment":  &appsv1.Deployment{},
			"ClusterRole": &rbacv1.ClusterRole{}, "ClusterRoleBinding": &rbacv1.ClusterRoleBinding{},
			"Role": &rbacv1.Role{}, "RoleBinding": &rbacv1.RoleBinding{},
			"MutatingWebhookConfiguration": &admissionv1.MutatingWebhookConfiguration{},
			"CustomResourceDefinition":     &apiextensionsv1.CustomResourceDefinition{},
		}[meta.Kind]
		if object == nil {
			t.Fatalf("%s %s: unknown kind", meta.Kind, meta.Name)
		}
		if err := sigsyaml.UnmarshalStrict([]byte(doc), object); err != nil {
			t.Fatalf("%s %s: %v", meta.Kind, meta.Name, err)
		}
		found[meta.Kind+" "+meta.Name] = object
	}
	return found
}

func TestManifestsAgreeWithNamesAndWire(t *testing.T) {
	all := objects(t)
	service := all["Service "+wire.ControlService].(*corev1.Service)
	if service.Namespace != names.MeshNamespace || service.Spec.Ports[0].Port != wire.ControlPort {
		t.Errorf("Service %s/%s:%d", service.Namespace, service.Name, service.Spec.Ports[0].Port)
	}
	deployment := all["Deployment "+wire.ControlService].(*appsv1.Deployment)
	pod := deployment.Spec.Template
	for k, v := range service.Spec.Selector {
		if pod.Labels[k] != v || deployment.Spec.Selector.MatchLabels[k] != v {
			t.Errorf("the Service selects %s=%s, pods have %v", k, v, pod.Labels)
		}
	}
	c := pod.Spec.Containers[0]
	if c.Image != "coalmine.dev/testmesh:x" || c.Env[0].Name != wire.EnvImage || c.Env[0].Value != c.Image {
		t.Errorf("image %q, environment %v", c.Image, c.Env)
	}
	injector := all["MutatingWebhookConfiguration coalmine-testmesh-injector"]
	webhook := injector.(*admissionv1.MutatingWebhookConfiguration).Webhooks[0]
	if to := webhook.ClientConfig.Service; to.Name != wire.ControlService || to.Namespace != names.MeshNamespace ||
		*to.Path != wire.PathInject || *to.Port != wire.ControlPort {
		t.Errorf("the webhook leads to %+v", to)
	}
	if got := string(webhook.ClientConfig.CABundle); got != "roots\n" {
		t.Errorf("caBundle %q, want the roots", got)
	}
	out := webhook.NamespaceSelector.MatchExpressions[0].Values
	if *webhook.FailurePolicy != admissionv1.Fail || !slices.Contains(out, names.MeshNamespace) ||
		!slices.Contains(out, metav1.NamespaceSystem) {
		t.Errorf("failure policy %s, excluded namespaces %v: the cluster could not come up", *webhook.FailurePolicy,
			out)
	}
}

// TestControlMayReadTheTrustSecretOnly looks at every rule that is about secrets.
func TestControlMayReadTheTrustSecretOnly(t *testing.T) {
	all := objects(t)
	rules := slices.Concat(all["ClusterRole coalmine-testmesh-control"].(*rbacv1.ClusterRole).Rules,
		all["Role "+wire.ControlService].(*rbacv1.Role).Rules)
	var secrets, maps []string
	for _, r := range rules {
		if slices.Contains(r.Resources, "secrets") {
			secrets = append(secrets, r.ResourceNames...)
		}
		if slices.Contains(r.Resources, "configmaps") {
			maps = append(maps, r.ResourceNames...)
		}
		if slices.Contains(r.Verbs, "*") || slices.Contains(r.Resources, "*") || slices.Contains(r.Resources,
			"secrets") && len(r.ResourceNames) == 0 {
			t.Errorf("rule %+v allows too much", r)
		}
	}
	if !slices.Equal(secrets, []string{names.TrustSecret}) || !slices.Equal(maps, []string{wire.TrustRootsConfigMap}) {
		t.Errorf("secrets %v, ConfigMaps %v", secrets, maps)
	}
}

// served returns the schema of a version of a kind, in the forms the API server prunes and
// validates by.
func served(t *testing.T, kind, version string) (*schema.Structural, *spec.Schema) {
	t.Helper()
	for _, o := range objects(t) {
		crd, ok := o.(*apiextensionsv1.CustomResourceDefinition)
		if !ok || crd.Spec.Names.Kind != kind {
			continue
		}
		for _, v := range crd.Spec.Versions {
			if crd.Spec.Group+"/"+v.Name == version {
				return compiled(t, v.Schema.OpenAPIV3Schema)
			}
		}
	}
	t.Fatalf("there is no %s of %s", kind, version)
	return nil, nil
}

func compiled(t *testing.T, props *apiextensionsv1.JSONSchemaProps) (*schema.Structural, *spec.Schema) {
	t.Helper()
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(props, &internal,
		nil); err != nil {
		t.Fatal(err)
	}
	structural, err := schema.NewStructural(&internal)
	if err != nil {
		t.Fatal(err)
	}
	if errs := schema.ValidateStructural(nil, structural); len(errs) > 0 {
		t.Fatal(errs)
	}
	text, err := json.Marshal(props)
	if err != nil {
		t.Fatal(err)
	}
	openAPI := &spec.Schema{}
	if err := json.Unmarshal(text, openAPI); err != nil {
		t.Fatal(err)
	}
	return structural, openAPI
}

// read returns a spec as the API server stores it, without defaults, and whether it would reject
// it.
func read(t *testing.T, kind, version, text string) (stored map[string]any, refused bool) {
	t.Helper()
	structural, openAPI := served(t, kind, version)
	o := map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": "x"}}
	var parsed any
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatal(err)
	}
	o["spec"] = parsed
	pruning.Prune(o, structural, true)
	return o["spec"].(map[string]any), !validate.NewSchemaValidator(openAPI, nil, "",
		strfmt.Default).Validate(o).IsValid()
}

// TestPolicyFieldsReachTheControlPlane covers every field that package guardrail supports: the API
// server drops what a schema lacks.
func TestPolicyFieldsReachTheControlPlane(t *testing.T) {
	const server = `"podSelector":{"matchLabels":{"app":"a"},"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]},"port":"http","proxyProtocol":"HTTP/1"`
	const ref = `{"group":"g","kind":"K","name":"n","namespace":"ns"}`
	for _, c := range []struct{ kind, version, spec string }{
		{"Server", guardrail.LinkerdGroup + "/v1beta1", `{` + server + `}`},
		{"Server", guardrail.LinkerdGroup + "/v1beta2", `{` + server + `}`},
		{"Server", guardrail.ServerVersion, `{` + server + `,"accessPolicy":"audit"}`},
		{"AuthorizationPolicy", guardrail.AuthorizationVersion,
			`{"targetRef":{"group":"g","kind":"K","name":"n"},"requiredAuthenticationRefs":[` + ref + `]}`},
		{"AuthorizationPolicy", guardrail.AuthorizationVersion,
			`{"targetRef":{"kind":"Namespace","name":"n"},"requiredAuthenticationRefs":[]}`},
		{"MeshTLSAuthentication", guardrail.AuthorizationVersion,
			`{"identities":["*","*.a","a.develop.serviceaccount.identity.linkerd.cluster.local"]}`},
		{"MeshTLSAuthentication", guardrail.AuthorizationVersion,
			`{"identityRefs":[` + ref + `,{"kind":"Namespace"}]}`},
		{"NetworkAuthentication", guardrail.AuthorizationVersion,
			`{"networks":[{"cidr":"10.0.0.0/8","except":["10.1.2.3"]}]}`},
	} {
		var want map[string]any
		if err := json.Unmarshal([]byte(c.spec), &want); err != nil {
			t.Fatal(err)
		}
		got, refused := read(t, c.kind, c.version, c.spec)
		if refused || !reflect.DeepEqual(got, want) {
			t.Errorf("%s of %s: refused %v, stored\n%v\nof\n%v", c.kind, c.version, refused, got, want)
		}
	}
}

func TestPoliciesHaveLinkerdsDefaults(t *testing.T) {
	structural, _ := served(t, "Server", guardrail.ServerVersion)
	for field, want := range map[string]string{"accessPolicy": "deny", "proxyProtocol": "unknown"} {
		if got := structural.Properties["spec"].Properties[field].Default.Object; got != want {
			t.Errorf("the default of %s is %v, want %s", field, got, want)
		}
	}
}

func TestPoliciesThatLinkerdWouldReject(t *testing.T) {
	for _, c := range []struct{ kind, version, spec string }{
		{"Server", guardrail.ServerVersion, `{"port":8080}`},
		{"Server", guardrail.ServerVersion, `{"podSelector":{}}`},
		{"Server", guardrail.ServerVersion, `{"podSelector":{},"port":8080,"accessPolicy":"everyone"}`},
		{"Server", guardrail.ServerVersion, `{"podSelector":{},"port":8080,"proxyProtocol":"SMTP"}`},
		{"AuthorizationPolicy", guardrail.AuthorizationVersion, `{"targetRef":{"kind":"Server","name":"n"}}`},
		{"AuthorizationPolicy", guardrail.AuthorizationVersion,
			`{"targetRef":{"kind":"Server"},"requiredAuthenticationRefs":[]}`},
		{"MeshTLSAuthentication", guardrail.AuthorizationVersion, `{}`},
		{"MeshTLSAuthentication", guardrail.AuthorizationVersion, `{"identities":["*"],"identityRefs":[]}`},
		{"MeshTLSAuthentication", guardrail.AuthorizationVersion, `{"identities":["Everyone!"]}`},
		{"NetworkAuthentication", guardrail.AuthorizationVersion, `{"networks":[{"except":["10.1.2.3"]}]}`},
	} {
		if stored, refused := read(t, c.kind, c.version, c.spec); !refused {
			t.Errorf("%s %s is accepted: %v", c.kind, c.spec, stored)
		}
	}
}
