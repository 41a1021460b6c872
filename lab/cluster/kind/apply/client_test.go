package apply

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coalmine/lab/cluster/names"
)

const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns}\ndata: {k: v}\n"

func TestApplyInOrder(t *testing.T) {
	s := newServer(t)
	c, _ := newTestClient(t, s)
	s.made = func(o map[string]any) {
		if o["kind"] == "CustomResourceDefinition" {
			o["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Established", "status": "True"}}}
		}
	}
	all := objects(t, config+`---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: w}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: ns, labels: {app: x, app.kubernetes.io/managed-by: Helm}, creationTimestamp: null}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
status: {conditions: [], storedVersions: []}
---
apiVersion: v1
kind: Namespace
metadata: {name: ns}
`)
	before := all[2].DeepCopy()
	if err := c.Apply(context.Background(), all); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"/api/v1/namespaces/ns", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com",
		"/api/v1/namespaces/ns/configmaps/a", "/apis/apps/v1/namespaces/ns/deployments/d",
		"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/w",
	}
	for i := range want {
		want[i] += " manager=coalmine force=false"
	}
	if !slices.Equal(s.log, want) {
		t.Errorf("\ngot  %s\nwant %s", strings.Join(s.log, "\n     "), strings.Join(want, "\n     "))
	}
	for _, o := range s.bodies {
		labels := o["metadata"].(map[string]any)["labels"].(map[string]any)
		if labels[names.LabelManagedBy] != names.FieldManager || o["status"] != nil {
			t.Errorf("%v: sent with labels %v and status %v", o["kind"], labels, o["status"])
		}
	}
	if !maps.Equal(before.GetLabels(), all[2].GetLabels()) {
		t.Errorf("the object given was changed: %v", all[2].GetLabels())
	}
}

func TestTemporaryErrorsAreRetried(t *testing.T) {
	for name, fault := range map[string]http.HandlerFunc{
		"connection broken": broken,
		"server starts":     failing(503, "ServiceUnavailable", "starting"),
		"too many":          failing(429, "TooManyRequests", "slow down"),
		"webhook starts":    failing(500, "InternalError", `failed calling webhook "x": connection refused`),
		"namespace goes": failing(403, "Forbidden", "namespace is deleted",
			map[string]any{"reason": "NamespaceTerminating"}),
		"permissions not loaded": failing(403, "Forbidden",
			`configmaps "a" is forbidden: User "kubernetes-admin" cannot patch resource "configmaps"`),
		"kind not served yet": failing(404, "NotFound", "the server could not find the requested resource"),
	} {
		s := newServer(t)
		c, at := newTestClient(t, s)
		s.faults(http.MethodPatch, fault, fault, fault)
		if err := c.Apply(context.Background(), objects(t, config)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(s.log) != 1 || at.waits == 0 {
			t.Errorf("%s: applied %d times after %d pauses", name, len(s.log), at.waits)
		}
	}
}

// TestRetriesEnd: an API server that is away and then denies requests for a while is retried, but
// not forever.
func TestRetriesEnd(t *testing.T) {
	away := failing(503, "ServiceUnavailable", "starting")
	denied := failing(403, "Forbidden", `configmaps "a" is forbidden: User "u" cannot patch resource "configmaps"`)
	for name, x := range map[string]struct {
		faults []http.HandlerFunc
		want   string
	}{
		"always away":   {slices.Repeat([]http.HandlerFunc{away}, 100), "starting (retried for"},
		"always denied": {slices.Repeat([]http.HandlerFunc{denied}, 100), "cannot patch"},
		"alternating":   {slices.Repeat([]http.HandlerFunc{away, denied}, 100), "(retried for"},
		"away then denied": {slices.Concat(slices.Repeat([]http.HandlerFunc{away}, 15),
			slices.Repeat([]http.HandlerFunc{denied}, 4)),
			""},
	} {
		s := newServer(t)
		c, at := newTestClient(t, s)
		s.faults(http.MethodPatch, x.faults...)
		err := c.Apply(context.Background(), objects(t, config))
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, x.want)
		}
		if took := at.now().Sub(start); took > 2*retryTimeout+maxBackoff {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func TestPermanentErrorsAreNotRetried(t *testing.T) {
	for name, fault := range map[string]http.HandlerFunc{
		"invalid":   failing(422, "Invalid", "spec.replicas: must be positive"),
		"admission": failing(403, "Forbidden", `pods "a" is forbidden: exceeded quota`),
	} {
		s := newServer(t)
		c, at := newTestClient(t, s)
		s.faults(http.MethodPatch, fault)
		err := c.Apply(context.Background(), objects(t, config))
		if err == nil || !strings.Contains(err.Error(), "apply ConfigMap ns/a") || at.waits != 0 {
			t.Errorf("%s: %v after %d pauses", name, err, at.waits)
		}
	}
}

func conflict(manager string) any {
	return map[string]any{"reason": "FieldManagerConflict", "field": ".data.k",
		"message": `conflict with "` + manager + `" using v1`}
}

func TestConflicts(t *testing.T) {
	s := newServer(t)
	c, _ := newTestClient(t, s)
	s.faults(http.MethodPatch, failing(409, "Conflict", "Apply failed with 2 conflicts", conflict("kubectl-edit"),
		conflict("coalmine")))
	err := c.Apply(context.Background(), objects(t, config))
	var found *Conflict
	if !errors.As(err, &found) || len(found.Fields) != 2 || found.Fields[0] != (Field{".data.k", "kubectl-edit"}) {
		t.Fatalf("error %v", err)
	}
	if found.Hint() == "" || len(s.log) != 0 {
		t.Errorf("hint %q; changed anyway: %v", found.Hint(), s.log)
	}
	s.faults(http.MethodPatch, failing(409, "Conflict", "Apply failed with 1 conflict", conflict("coalmine")))
	if err := c.Apply(context.Background(), objects(t, config)); err != nil {
		t.Fatal(err)
	}
	if len(s.log) != 1 || !strings.HasSuffix(s.log[0], "force=true") {
		t.Errorf("a conflict with ourselves: %v", s.log)
	}
}

func TestKindsMayComeLate(t *testing.T) {
	const thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n"
	s := newServer(t)
	c, _ := newTestClient(t, s)
	c.mapper.(*mapper).late = 2
	c.mapper.(*mapper).kinds = func(m *meta.DefaultRESTMapper) {
		m.Add(schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"}, meta.RESTScopeRoot)
	}
	if err := c.Apply(context.Background(), objects(t, thing)); err != nil {
		t.Fatal(err)
	}
	other, at := newTestClient(t, s)
	if err := other.Apply(context.Background(), objects(t, thing)); !meta.IsNoMatchError(err) {
		t.Errorf("error %v for a kind that never comes", err)
	}
	if took := at.now().Sub(start); took > discoveryTimeout+maxBackoff {
		t.Errorf("took %v", took)
	}
}

func TestNamespaceIsRequired(t *testing.T) {
	c, _ := newTestClient(t, newServer(t))
	err := c.Apply(context.Background(), objects(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"))
	if err == nil || !strings.Contains(err.Error(), "needs a namespace") {
		t.Errorf("error %v", err)
	}
}

func TestDeleteWaits(t *testing.T) {
	s := newServer(t)
	c, _ := newTestClient(t, s)
	all := objects(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n---\n"+config+"---\napiVersion: "+
		"example.com/v1\nkind: Thing\nmetadata: {name: x}\n")
	if err := c.Apply(context.Background(), all[:2]); err != nil {
		t.Fatal(err)
	}
	s.log = nil
	// The objects disappear only after the client waits for that.
	left := []string{"/api/v1/namespaces/ns/configmaps/a", "/api/v1/namespaces/ns"}
	s.watched = func() {
		s.mu.Lock()
		path := left[0]
		left = left[1:]
		s.mu.Unlock()
		s.take(path)
	}
	if err := c.Delete(context.Background(), all); err != nil {
		t.Fatal(err)
	}
	if want := []string{"DELETE /api/v1/namespaces/ns/configmaps/a",
		"DELETE /api/v1/namespaces/ns"}; !slices.Equal(s.log, want) || len(s.objects) != 0 {
		t.Errorf("%v, %d objects are left", s.log, len(s.objects))
	}
	if err := c.Delete(context.Background(), all); err != nil {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestDecode(t *testing.T) {
	all := objects(t, "---\n# nothing\n---\n"+config+"---\n"+
		`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}}]}`)
	if len(all) != 2 || RefOf(all[0]).String() != "ConfigMap ns/a" || RefOf(all[1]).String() != "Pod p" {
		t.Errorf("%v", all)
	}
	for text, want := range map[string]string{
		config + "---\nkind: Pod\nmetadata: {name: x}\n": "document 2: Pod x has no apiVersion",
		"apiVersion: v1\nkind: Pod\n":                    "Pod has no name",
		"apiVersion: v1\nmetadata: {name: x}\n":          "document 1",
		"a: {":                                           "document 1",
		"apiVersion: v1\nkind: Pod\nkind: Pod\n":         "document 1",
		"just words":                                     "document 1",
	} {
		if _, err := Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", text, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(config))
	f.Add([]byte("---\n---\n[]"))
	f.Add([]byte(`{"apiVersion":"v1","kind":"List","items":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := Decode(text)
		for _, o := range all {
			if err == nil && (o.GetName() == "" || o.GetKind() == "" || o.GetAPIVersion() == "") {
				t.Errorf("decoded %v", o)
			}
		}
	})
}
