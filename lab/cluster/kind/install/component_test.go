package install

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster/kind/apply"
)

// apiServer stores ConfigMaps and Secrets, and notes what is applied.
type apiServer struct {
	mu      sync.Mutex
	objects map[string]any
	applied []string
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	var body any
	switch name := strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/ns/"); {
	case r.URL.Path == "/api":
		body = map[string]any{"kind": "APIVersions", "versions": []string{"v1"}}
	case r.URL.Path == "/apis":
		body = map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": []any{}}
	case r.URL.Path == "/api/v1":
		body = map[string]any{"kind": "APIResourceList", "groupVersion": "v1", "resources": []any{
			map[string]any{"name": "configmaps", "namespaced": true, "kind": "ConfigMap", "verbs": []string{"get"}},
			map[string]any{"name": "secrets", "namespaced": true, "kind": "Secret", "verbs": []string{"get"}},
		}}
	case r.Method == http.MethodPatch:
		s.applied = append(s.applied, name)
		_ = json.NewDecoder(r.Body).Decode(&body)
		s.objects[name] = body
	case s.objects[name] != nil:
		body = s.objects[name]
	default:
		w.WriteHeader(http.StatusNotFound)
		body = map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
			"code": 404, "message": name + " not found"}
	}
	_ = json.NewEncoder(w).Encode(body)
}

// TestWhatWasAppliedIsKept: an installation that stopped after a component was applied does not
// apply it again. To render a chart again would give it new keys.
func TestWhatWasAppliedIsKept(t *testing.T) {
	s := &apiServer{objects: map[string]any{}}
	server := httptest.NewServer(s)
	defer server.Close()
	client, err := apply.New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	kube := fake.NewClientset()
	g := planned(nil)
	g.conn = &connection{apply: client, kube: kube}
	all, err := apply.Decode([]byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: ns}}\n---\n" +
		"{apiVersion: v1, kind: Secret, metadata: {name: key, namespace: ns}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	both := []string{"configmaps/a", "secrets/key"}
	for _, x := range []struct {
		name, input string
		before      func()
		want        []string
	}{
		{"a new cluster", "1", func() {}, both},
		{"an attempt stopped while it waited", "1", func() {
			if err := record(t.Context(), kube, State{keyStep + "c": ""}); err != nil {
				t.Fatal(err)
			}
		}, nil},
		{"an object is gone", "1", func() { delete(s.objects, "configmaps/a") }, both[:1]},
		{"an object with keys is gone", "1", func() { delete(s.objects, "secrets/key") }, both},
		{"other inputs", "2", func() {}, both},
		{"an attempt stopped while it applied", "2", func() {
			if err := record(t.Context(), kube, State{keyStep + "c": "", keyApplied + "c": ""}); err != nil {
				t.Fatal(err)
			}
		}, both},
	} {
		x.before()
		s.applied = nil
		if err := g.apply(t.Context(), "c", rendered{all, []any{x.input}}, func(string, ...any) {}); err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		if !slices.Equal(s.applied, x.want) {
			t.Errorf("%s: applied %v, want %v", x.name, s.applied, x.want)
		}
		if ok, err := g.upToDate(t.Context(), "c", rendered{all, []any{x.input}}); !ok || err != nil {
			t.Errorf("%s: up to date %v, %v", x.name, ok, err)
		}
	}
}
