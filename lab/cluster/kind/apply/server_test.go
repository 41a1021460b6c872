package apply

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// server is an API server with what the package needs: it stores objects, lists them, and sends
// watch events.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	changed chan struct{} // closed at each change
	objects map[string]map[string]any
	events  []event
	// log has each modifying request: "PATCH /path force=false".
	log    []string
	bodies []map[string]any
	// before is called before each request, if set, and may answer it.
	before func(http.ResponseWriter, *http.Request) bool
	// made is called with each applied object and may add a status.
	made func(o map[string]any)
	// watches counts the watches; watched is called at the start of each.
	watches int
	watched func()
}

type event struct {
	kind, collection string
	object           map[string]any
}

func newServer(t *testing.T) *server {
	s := &server{changed: make(chan struct{}), objects: map[string]map[string]any{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	if s.before != nil && s.before(w, r) {
		return
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/log"):
		refuse(w, http.StatusNotFound, "NotFound", "there are no logs")
	case r.Method == http.MethodPatch:
		s.patch(w, r)
	case r.Method == http.MethodDelete:
		s.remove(w, r)
	case r.URL.Query().Get("watch") == "true":
		s.watch(w, r)
	default:
		s.read(w, r)
	}
}

func (s *server) patch(w http.ResponseWriter, r *http.Request) {
	var o map[string]any
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &o)
	sent := (&unstructured.Unstructured{Object: o}).DeepCopy().Object
	if s.made != nil {
		s.made(o)
	}
	s.mu.Lock()
	q := r.URL.Query()
	s.log = append(s.log, fmt.Sprintf("%s manager=%s force=%s", r.URL.Path, q.Get("fieldManager"), q.Get("force")))
	s.bodies = append(s.bodies, sent)
	s.mu.Unlock()
	s.put(r.URL.Path, o)
	answer(w, http.StatusOK, o)
}

// put sets an object on behalf of another client.
func (s *server) put(path string, o map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := "MODIFIED"
	if s.objects[path] == nil {
		kind = "ADDED"
	}
	s.note(kind, path, o)
	s.objects[path] = o
}

func (s *server) note(kind, path string, o map[string]any) {
	s.events = append(s.events, event{kind, path[:strings.LastIndex(path, "/")], o})
	_ = unstructured.SetNestedField(o, strconv.Itoa(len(s.events)), "metadata", "resourceVersion")
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *server) take(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[path]
	if o != nil {
		s.note("DELETED", path, o)
		delete(s.objects, path)
	}
	return o != nil
}

func (s *server) remove(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.log = append(s.log, "DELETE "+r.URL.Path)
	there := s.objects[r.URL.Path] != nil
	s.mu.Unlock()
	if !there {
		refuse(w, http.StatusNotFound, "NotFound", "not found")
		return
	}
	answer(w, http.StatusOK, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Success"})
}

func (s *server) read(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[r.URL.Path]; o != nil {
		answer(w, http.StatusOK, o)
		return
	}
	items := []any{}
	for path, o := range s.objects {
		if path[:strings.LastIndex(path, "/")] == r.URL.Path && selected(r, o) {
			items = append(items, o)
		}
	}
	slices.SortFunc(items, func(a, b any) int { return cmp.Compare(nameOf(a), nameOf(b)) })
	answer(w, http.StatusOK, map[string]any{
		"kind": "List", "apiVersion": "v1", "metadata": map[string]any{"resourceVersion": strconv.Itoa(len(s.events))},
		"items": items,
	})
}

func nameOf(o any) string {
	name, _, _ := unstructured.NestedString(o.(map[string]any), "metadata", "name")
	return name
}

func selected(r *http.Request, o map[string]any) bool {
	if want, ok := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name="); ok && want != nameOf(o) {
		return false
	}
	labels, _, _ := unstructured.NestedStringMap(o, "metadata", "labels")
	key, value, ok := strings.Cut(r.URL.Query().Get("labelSelector"), "=")
	return !ok || labels[key] == value
}

func (s *server) watch(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.watches++
	if s.watched != nil {
		go s.watched()
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	for {
		s.mu.Lock()
		fresh, changed := s.events[from:], s.changed
		from = len(s.events)
		s.mu.Unlock()
		for _, e := range fresh {
			if e.collection == r.URL.Path && selected(r, e.object) {
				_ = json.NewEncoder(w).Encode(map[string]any{"type": e.kind, "object": e.object})
				w.(http.Flusher).Flush()
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
	}
}

func answer(w http.ResponseWriter, code int, o map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(o)
}

func refuse(w http.ResponseWriter, code int, reason, message string, causes ...any) {
	answer(w, code, map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
		"details": map[string]any{"causes": causes},
	})
}

// faults answers the first requests of a method with the given handlers, in turn.
func (s *server) faults(method string, all ...http.HandlerFunc) {
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		s.mu.Lock()
		if r.Method != method || len(all) == 0 {
			s.mu.Unlock()
			return false
		}
		f := all[0]
		all = all[1:]
		s.mu.Unlock()
		f(w, r)
		return true
	}
}

func failing(code int, reason, message string, causes ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { refuse(w, code, reason, message, causes...) }
}

// broken closes the connection without an answer.
func broken(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// mapper knows some kinds from the start, and the others after a number of resets.
type mapper struct {
	*meta.DefaultRESTMapper
	mu    sync.Mutex
	late  int
	kinds func(*meta.DefaultRESTMapper)
}

func (m *mapper) RESTMapping(k schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.DefaultRESTMapper.RESTMapping(k, versions...)
}

func (m *mapper) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.late--; m.late == 0 {
		m.kinds(m.DefaultRESTMapper)
	}
}

func newMapper() *mapper {
	kinds := map[schema.GroupVersionKind]meta.RESTScope{
		{Version: "v1", Kind: "Namespace"}:                 meta.RESTScopeRoot,
		{Version: "v1", Kind: "Pod"}:                       meta.RESTScopeNamespace,
		{Version: "v1", Kind: "ConfigMap"}:                 meta.RESTScopeNamespace,
		{Group: "apps", Version: "v1", Kind: "Deployment"}: meta.RESTScopeNamespace,
		{Group: "batch", Version: "v1", Kind: "Job"}:       meta.RESTScopeNamespace,
		{Group: "discovery.k8s.io", Version: "v1",
			Kind: "EndpointSlice"}: meta.RESTScopeNamespace,
		{Group: "apiextensions.k8s.io", Version: "v1",
			Kind: "CustomResourceDefinition"}: meta.RESTScopeRoot,
		{Group: "admissionregistration.k8s.io", Version: "v1",
			Kind: "ValidatingWebhookConfiguration"}: meta.RESTScopeRoot,
	}
	var preferred []schema.GroupVersion
	for kind := range kinds {
		preferred = append(preferred, kind.GroupVersion())
	}
	m := meta.NewDefaultRESTMapper(preferred)
	for kind, scope := range kinds {
		m.Add(kind, scope)
	}
	return &mapper{DefaultRESTMapper: m}
}

// clock advances only by waiting.
type clock struct {
	mu    sync.Mutex
	at    time.Time
	waits int
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	c.waits++
	return ctx.Err()
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newTestClient(t *testing.T, s *server) (*Client, *clock) {
	t.Helper()
	dyn, err := dynamic.NewForConfig(&rest.Config{Host: s.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	core, err := kubernetes.NewForConfig(&rest.Config{Host: s.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	c, at := newClient(dyn, newMapper(), core), &clock{at: start}
	c.now, c.wait = at.now, at.wait
	return c, at
}

func objects(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	all, err := Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
