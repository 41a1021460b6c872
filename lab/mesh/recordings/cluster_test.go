package recordings

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/mesh/k8s"
	"coalmine/loadgen/rng"
)

// namespace is that of the recordings' pods.
const namespace = "probe"

// Times of the kubelet and of the control plane. Recordings whose outcome depends on them are
// compared in their order only.
const (
	podStart   = 4500 * time.Millisecond
	noticeExit = 800 * time.Millisecond
	propagate  = 50 * time.Millisecond
)

// cluster is the virtual cluster that a recording is played on.
type cluster struct {
	clock
	random   rng.Stream
	drawn    uint64
	registry *mesh.Registry

	objects map[string]json.RawMessage // by kind.group/namespace/name
	created map[string]int             // counts in the order of creation
	pods    []*pod
	clients map[string]*client

	services map[string]*corev1.Service // by namespace/name
	// servicePolicies caches what Services say to clients' proxies.
	servicePolicies map[policyKey]*mesh.ServicePolicy
	policies        mesh.Policies
	routes          []mesh.Route
	profiles        []mesh.Profile
	table           *mesh.Table
	// disturbed is set when the kubelet changed the readiness of a pod.
	disturbed bool
	issuer    issuer
}

// newCluster returns the cluster that the recordings' README describes.
func newCluster(seed uint64) *cluster {
	c := &cluster{
		random: rng.New(seed, "recordings"), registry: mesh.NewRegistry(), objects: map[string]json.RawMessage{},
		created: map[string]int{}, clients: map[string]*client{}, table: &mesh.Table{},
		issuer: issuer{up: true, life: mesh.CertificateLife},
	}
	c.apply(baseManifests())
	c.pass(podStart + 500*time.Millisecond)
	for i, name := range []string{"client", "stranger", "outsider"} {
		c.clients[name] = c.newClient(name, i)
	}
	c.disturbed = false
	return c
}

func baseManifests() string {
	var b strings.Builder
	for _, v := range []string{"v1", "v2"} {
		fmt.Fprintf(&b, `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: probe}
spec:
  replicas: 1
  selector: {matchLabels: {app: server, version: %[1]s}}
  template:
    metadata: {labels: {app: server, version: %[1]s}}
    spec:
      serviceAccountName: server
      containers:
      - name: main
        args: [serve, -name, %[1]s]
        ports: [{name: http, containerPort: 8080}, {name: other, containerPort: 8081}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
`, v)
	}
	for name, selector := range map[string]string{
		"backend": "app: server, version: v1", "backend-v1": "app: server, version: v1",
		"backend-v2": "app: server, version: v2", "both": "app: server", "empty": "app: nothing",
	} {
		fmt.Fprintf(&b, `---
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: probe}
spec:
  selector: {%s}
  ports: [{name: http, port: 80, targetPort: http}]
`, name, selector)
	}
	return b.String()
}

// bits returns random bits.
func (c *cluster) bits() uint64 {
	c.drawn++
	return c.random.Bits(c.drawn)
}

// apply creates or replaces objects.
func (c *cluster) apply(manifests string) {
	for _, doc := range documents(manifests) {
		key := objectKey(doc)
		if _, ok := c.objects[key]; !ok {
			c.created[key] = len(c.created)
		}
		c.objects[key] = doc
	}
	c.reconcile()
}

func (c *cluster) remove(manifests string) {
	for _, doc := range documents(manifests) {
		c.removeKey(objectKey(doc))
	}
	c.reconcile()
}

func (c *cluster) removeKey(key string) {
	delete(c.objects, key)
	delete(c.created, key)
}

// documents splits manifests and converts them to JSON.
func documents(manifests string) []json.RawMessage {
	var list []json.RawMessage
	for doc := range strings.SplitSeq("\n"+manifests, "\n---") {
		raw, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			panic(err)
		}
		if string(raw) != "null" {
			list = append(list, raw)
		}
	}
	return list
}

// meta is what all objects have.
type meta struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
}

func objectKey(raw json.RawMessage) string {
	var m meta
	if err := json.Unmarshal(raw, &m); err != nil {
		panic(err)
	}
	group, _, ok := strings.Cut(m.APIVersion, "/")
	if !ok {
		group = ""
	}
	return key(m.Kind, group, m.Metadata.Namespace, m.Metadata.Name)
}

func key(kind, group, namespace, name string) string {
	return strings.ToLower(kind) + "." + group + "/" + namespace + "/" + name
}

// all returns the objects of a kind in the order of their names, decoded.
func all[T any](c *cluster, kind, group string) []*T {
	var list []*T
	prefix := strings.ToLower(kind) + "." + group + "/"
	for _, k := range slices.Sorted(maps.Keys(c.objects)) {
		if !strings.HasPrefix(k, prefix) {
			continue
		}
		v := new(T)
		if err := json.Unmarshal(c.objects[k], v); err != nil {
			panic(fmt.Sprintf("%s: %v", k, err))
		}
		if o, ok := any(v).(metav1.Object); ok {
			o.SetCreationTimestamp(metav1.NewTime(time.Unix(int64(c.created[k]), 0)))
		}
		list = append(list, v)
	}
	return list
}

func (c *cluster) deployments() []*appsv1.Deployment {
	return all[appsv1.Deployment](c, "Deployment", "apps")
}

// reconcile makes the mesh follow the objects: with the decoders that guardrails take.
func (c *cluster) reconcile() {
	c.services, c.servicePolicies = map[string]*corev1.Service{}, map[policyKey]*mesh.ServicePolicy{}
	for _, s := range all[corev1.Service](c, "Service", "") {
		c.services[s.Namespace+"/"+s.Name] = s
	}
	c.reconcileRoutes()
	c.reconcilePolicies()
	c.reconcileDeployments()
	c.endpointsChanged()
}

func (c *cluster) reconcileRoutes() {
	before := c.routes
	c.routes = nil
	for _, group := range []string{"gateway.networking.k8s.io", guardrail.LinkerdGroup} {
		for _, r := range all[gatewayv1.HTTPRoute](c, "HTTPRoute", group) {
			route := k8s.Route(r)
			if i := slices.IndexFunc(before, func(b mesh.Route) bool {
				return b.Name == route.Name && b.Namespace == route.Namespace && b.Group == route.Group
			}); i >= 0 && route.Dropped != "" {
				route = before[i] // the policy controller keeps what it could convert last
			}
			c.routes = append(c.routes, route)
		}
	}
	c.profiles = nil
	for _, s := range all[guardrail.ServiceProfile](c, "ServiceProfile", "linkerd.io") {
		if p, err := k8s.Profile(s); err == nil {
			c.profiles = append(c.profiles, p)
		}
	}
	for _, x := range c.clients {
		x.follow(c.routes)
	}
}

func (c *cluster) reconcilePolicies() {
	var list []runtime.Object
	add := func(objects ...runtime.Object) { list = append(list, objects...) }
	for _, o := range all[guardrail.Server](c, "Server", guardrail.LinkerdGroup) {
		add(o)
	}
	for _, o := range all[guardrail.AuthorizationPolicy](c, "AuthorizationPolicy", guardrail.LinkerdGroup) {
		add(o)
	}
	for _, o := range all[guardrail.MeshTLSAuthentication](c, "MeshTLSAuthentication", guardrail.LinkerdGroup) {
		add(o)
	}
	for _, o := range all[guardrail.NetworkAuthentication](c, "NetworkAuthentication", guardrail.LinkerdGroup) {
		add(o)
	}
	for _, o := range all[guardrail.HTTPLocalRateLimitPolicy](c, "HTTPLocalRateLimitPolicy", guardrail.LinkerdGroup) {
		add(o)
	}
	for _, group := range []string{guardrail.LinkerdGroup, "gateway.networking.k8s.io"} {
		for _, o := range all[gatewayv1.HTTPRoute](c, "HTTPRoute", group) {
			add(o)
		}
	}
	policies, err := k8s.Policies(list)
	if err != nil {
		panic(err)
	}
	c.policies = policies
	for _, p := range c.pods {
		for _, g := range p.gatekeepers {
			g.policy = nil
		}
	}
}

// reconcileDeployments starts and removes pods.
func (c *cluster) reconcileDeployments() {
	for _, d := range c.deployments() {
		template, _ := json.Marshal(d.Spec.Template)
		var have []*pod
		for _, p := range c.pods {
			if p.deployment == d.Name && p.namespace == d.Namespace && !p.gone {
				have = append(have, p)
			}
		}
		outdated := slices.DeleteFunc(slices.Clone(have), func(p *pod) bool { return p.template == string(template) })
		current := len(have) - len(outdated)
		for ; current < int(*d.Spec.Replicas); current++ {
			p := c.startPod(d)
			p.whenCertified(func() {
				p.setReady(true)
				if len(outdated) > 0 {
					outdated[0].terminate()
					outdated = outdated[1:]
				}
			})
		}
		for ; current > int(*d.Spec.Replicas); current-- {
			have[current-1].terminate()
		}
		if *d.Spec.Replicas == 0 {
			for _, p := range have {
				p.terminate()
			}
		}
	}
}

// settled reports whether all Deployments have their pods ready.
func (c *cluster) settled() bool {
	for _, d := range c.deployments() {
		template, _ := json.Marshal(d.Spec.Template)
		ready := 0
		for _, p := range c.pods {
			if p.deployment == d.Name && !p.gone && p.ready && p.template == string(template) {
				ready++
			}
		}
		if ready != int(*d.Spec.Replicas) {
			return false
		}
	}
	return true
}

// endpoints returns the ready pods of a Service.
func (c *cluster) endpoints(s *corev1.Service) []*pod {
	var list []*pod
	for _, p := range c.pods {
		if s != nil && p.ready && !p.gone && p.namespace == s.Namespace && selects(s.Spec.Selector, p.labels) {
			list = append(list, p)
		}
	}
	return list
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

// endpointsChanged tells the clients' proxies.
func (c *cluster) endpointsChanged() {
	c.after(propagate, func() {
		for _, name := range slices.Sorted(maps.Keys(c.clients)) {
			c.clients[name].endpointsChanged()
		}
	})
}

// serviceOf resolves the host of a URL.
func (c *cluster) serviceOf(host string) *corev1.Service {
	parts := strings.Split(host, ".")
	ns := namespace
	if len(parts) > 1 {
		ns = parts[1]
	}
	return c.services[ns+"/"+parts[0]]
}

// targetPort returns the port of a pod that a Service's port leads to; 0 is none. A port that the
// Service does not have leads to that of the same number (linkerd2,
// controller/api/destination/watcher/endpoints_watcher.go, getTargetPort).
func targetPort(s *corev1.Service, port int, p *pod) int {
	i := slices.IndexFunc(s.Spec.Ports, func(x corev1.ServicePort) bool { return int(x.Port) == port })
	if i < 0 {
		return port
	}
	number, name := k8s.TargetPort(s.Spec.Ports[i])
	if name != "" {
		return p.ports[name]
	}
	return number
}

func address(i, j int) netip.Addr { return netip.AddrFrom4([4]byte{10, 42, byte(i), byte(j)}) }
