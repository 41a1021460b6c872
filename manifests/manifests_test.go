package manifests_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"

	"coalmine/lab/cluster/names"
	"coalmine/lab/mesh"
	"coalmine/manifests"
)

func TestEverythingIsPinned(t *testing.T) {
	pins, err := manifests.Versions()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{names.Linkerd, names.TestMesh} {
		for _, image := range pins.Images(m) {
			if _, tag, ok := strings.Cut(image[strings.LastIndex(image, "/"):], ":"); !ok || tag == "latest" {
				t.Errorf("mesh %s: image %s has no version", m, image)
			}
		}
	}
	if n := len(pins.Images(names.TestMesh)); n != 2 {
		t.Errorf("the stand-in's mesh takes %d foreign images, want Prometheus's and Flagger's", n)
	}
}

// TestFilesAgreeWithPlace fills in every file for both meshes, and looks for what package place names.
func TestFilesAgreeWithPlace(t *testing.T) {
	for _, m := range []string{names.Linkerd, names.TestMesh} {
		p := manifests.Params{Mesh: m, Image: names.Image + ":x", Roots: "roots: \"\n", IssuerCert: "cert\n", IssuerKey: "key\n"}
		for _, folder := range []string{"cluster", "flagger", "linkerd", "prometheus", "standin"} {
			text, err := manifests.Folder(folder, p)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "<no value>") {
				t.Errorf("%s: something was not filled in", folder)
			}
		}
		values, err := manifests.Values(manifests.LinkerdControlPlane, p)
		if err != nil {
			t.Fatal(err)
		}
		if got := values["identityTrustAnchorsPEM"]; got != p.Roots {
			t.Errorf("trust anchors %q, want %q", got, p.Roots)
		}
	}
	var nameList []string
	for _, d := range documents(t, "cluster/namespaces.yaml") {
		nameList = append(nameList, d["metadata"].(map[string]any)["name"].(string))
	}
	if want := []string{names.LabNamespace, names.MeshNamespace, names.VizNamespace, names.FlaggerNamespace}; !slices.Equal(nameList, want) {
		t.Errorf("namespaces %v, want %v", nameList, want)
	}
	for _, d := range documents(t, "prometheus/standin.yaml") {
		meta := d["metadata"].(map[string]any)
		if ns, ok := meta["namespace"]; ok && ns != names.VizNamespace {
			t.Errorf("%s %s is in namespace %s, want %s", d["kind"], meta["name"], ns, names.VizNamespace)
		}
		if d["kind"] != "Service" {
			continue
		}
		port := d["spec"].(map[string]any)["ports"].([]any)[0].(map[string]any)["port"]
		if meta["name"] != names.PrometheusService || port != names.PrometheusPort {
			t.Errorf("Service %s:%v, want %s:%d", meta["name"], port, names.PrometheusService, names.PrometheusPort)
		}
	}
}

// TestVizScrapesTheSame looks at what Linkerd's own Prometheus is given beside its jobs.
func TestVizScrapesTheSame(t *testing.T) {
	values, err := manifests.Values(manifests.LinkerdViz, manifests.Params{Mesh: names.Linkerd})
	if err != nil {
		t.Fatal(err)
	}
	prometheus := values["prometheus"].(map[string]any)
	text, err := yaml.Marshal(prometheus["scrapeConfigs"])
	if err != nil {
		t.Fatal(err)
	}
	var given []job
	if err := yaml.Unmarshal(text, &given); err != nil {
		t.Fatal(err)
	}
	own := jobs(t)
	for _, j := range given {
		for _, c := range slices.Concat(j.Relabel, j.Metric) {
			c.NameValidationScheme = model.UTF8Validation
		}
		if !reflect.DeepEqual(j, own[j.Name]) {
			t.Errorf("job %s is not the stand-in's", j.Name)
		}
		delete(own, j.Name)
	}
	if left := slices.Sorted(maps.Keys(own)); !slices.Equal(left, []string{"linkerd-proxy", "prometheus"}) {
		t.Errorf("viz lacks %v, want it to lack only what it has of its own", left)
	}
	pins, err := manifests.Versions()
	if err != nil {
		t.Fatal(err)
	}
	image := prometheus["image"].(map[string]any)
	if got := fmt.Sprintf("%s/%s:%s", image["registry"], image["name"], image["tag"]); got != pins.Prometheus.Image() {
		t.Errorf("image %s, want %s", got, pins.Prometheus.Image())
	}
}

// TestOnlyLinkerdLetsFlaggerInByPolicy looks at the value: without Linkerd's CRDs its policies cannot be applied.
func TestOnlyLinkerdLetsFlaggerInByPolicy(t *testing.T) {
	for m, want := range map[string]bool{names.Linkerd: true, names.TestMesh: false} {
		values, err := manifests.Values(manifests.Flagger, manifests.Params{Mesh: m})
		if err != nil {
			t.Fatal(err)
		}
		if got := values["linkerdAuthPolicy"].(map[string]any)["create"]; got != want {
			t.Errorf("mesh %s: linkerdAuthPolicy.create is %v, want %v", m, got, want)
		}
	}
}

func documents(t *testing.T, name string) []map[string]any {
	t.Helper()
	text, err := manifests.Render(name, manifests.Params{Mesh: names.TestMesh})
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var one map[string]any
		switch err := d.Decode(&one); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, one)
	}
}

// job is what of a scrape job decides on labels.
type job struct {
	Name        string            `yaml:"job_name"`
	HonorLabels bool              `yaml:"honor_labels"`
	Relabel     []*relabel.Config `yaml:"relabel_configs"`
	Metric      []*relabel.Config `yaml:"metric_relabel_configs"`
}

func jobs(t *testing.T) map[string]job {
	t.Helper()
	text, err := manifests.Render("prometheus/config.yaml", manifests.Params{Mesh: names.TestMesh})
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Jobs []job `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	byName := map[string]job{}
	for _, j := range config.Jobs {
		for _, c := range slices.Concat(j.Relabel, j.Metric) {
			c.NameValidationScheme = model.UTF8Validation
		}
		byName[j.Name] = j
	}
	return byName
}

// pod is a pod as Prometheus's service discovery describes one of its containers' ports.
type pod struct {
	namespace, name, replicaSet, phase string
	labels                             map[string]string
	container, portName                string
	port                               int
}

func (p pod) meta() labels.Labels {
	m := map[string]string{
		"__address__": "10.244.0.7:" + strconv.Itoa(p.port), "__scheme__": "http", "__metrics_path__": "/metrics",
		"__meta_kubernetes_namespace": p.namespace, "__meta_kubernetes_pod_name": p.name, "__meta_kubernetes_pod_phase": p.phase,
		"__meta_kubernetes_pod_controller_kind": "ReplicaSet", "__meta_kubernetes_pod_controller_name": p.replicaSet,
		"__meta_kubernetes_pod_container_name": p.container, "__meta_kubernetes_pod_container_port_name": p.portName,
		"__meta_kubernetes_pod_container_port_number": strconv.Itoa(p.port),
	}
	for k, v := range p.labels {
		name := strings.NewReplacer("/", "_", ".", "_", "-", "_").Replace(k)
		m["__meta_kubernetes_pod_label_"+name] = v
		m["__meta_kubernetes_pod_labelpresent_"+name] = "true"
	}
	return labels.FromMap(m)
}

// scraped returns the labels of a series after a scrape, as Prometheus puts them together (prometheus, scrape/target.go,
// PopulateLabels; scrape/scrape.go, mutateSampleLabels).
func (j job) scraped(p pod, series map[string]string) (map[string]string, bool) {
	b := labels.NewBuilder(p.meta())
	b.Set("job", j.Name)
	if !relabel.ProcessBuilder(b, j.Relabel...) {
		return nil, false
	}
	own := maps.Clone(series)
	b.Range(func(l labels.Label) {
		if strings.HasPrefix(l.Name, "__") {
			return
		}
		if _, clash := own[l.Name]; clash && j.HonorLabels {
			return
		} else if clash {
			own["exported_"+l.Name] = own[l.Name]
		}
		own[l.Name] = l.Value
	})
	kept := labels.NewBuilder(labels.FromMap(own))
	ok := relabel.ProcessBuilder(kept, j.Metric...)
	return kept.Labels().Map(), ok
}

// standinLabels are those that an injector gives to a pod of a Deployment.
func standinLabels(deployment string) map[string]string {
	return map[string]string{names.WorkloadLabel: names.MeshNamespace, names.ProxyDeploymentLabel: deployment}
}

func asMap(ls []mesh.Label) map[string]string {
	m := map[string]string{}
	for _, l := range ls {
		m[l.Name] = l.Value
	}
	return m
}

func TestSeriesOfServicesAreLabelledAsInTheSim(t *testing.T) {
	template := map[string]string{"app": "backend-primary", "version": "v1", "pod-template-hash": "5d8f7", "example.com/tier": "core"}
	p := pod{
		namespace: names.DevelopNamespace, name: "backend-primary-5d8f7-x2x9z", replicaSet: "backend-primary-5d8f7", phase: "Running",
		labels: standinLabels("backend-primary"), container: "backend", portName: "http-metrics", port: names.MetricsPort,
	}
	maps.Copy(p.labels, template)
	series := map[string]string{"__name__": "app_http_requests_total", "route": "/", "cohort": "all", "version": "v2", "status": "200"}
	got, ok := jobs(t)["apps"].scraped(p, series)
	if !ok {
		t.Fatal("the target was dropped")
	}
	want := asMap(mesh.PodLabels("backend", p.namespace, p.name, "backend-primary", template))
	maps.Copy(want, series)
	if !maps.Equal(got, want) {
		t.Errorf("\ngot  %v\nwant %v", got, want)
	}
}

func TestSeriesOfProxiesAreLabelledAsInTheSim(t *testing.T) {
	template := map[string]string{"app": "backend", "version": "v1", "pod-template-hash": "5d8f7", "namespace": "lies", "job": "lies", "pod": "lies"}
	p := pod{
		namespace: names.DevelopNamespace, name: "backend-5d8f7-x2x9z", replicaSet: "backend-5d8f7", phase: "Pending",
		labels: standinLabels("backend"), container: names.ProxyContainer, portName: "", port: names.AdminPort,
	}
	maps.Copy(p.labels, template)
	series := map[string]string{"__name__": "response_latency_ms_bucket", "direction": "inbound", "tls": "true", "le": "100.0"}
	got, ok := jobs(t)["linkerd-proxy"].scraped(p, series)
	if !ok {
		t.Fatal("the target was dropped")
	}
	want := asMap(mesh.PodLabels("linkerd-proxy", p.namespace, p.name, "backend", template))
	maps.Copy(want, series)
	want["le"] = "100"
	want["control_plane_ns"] = names.MeshNamespace // Linkerd's has it too; the sim's pods have no such label
	if !maps.Equal(got, want) {
		t.Errorf("\ngot  %v\nwant %v", got, want)
	}
}

func TestFlaggersSeriesAreLabelledAsInTheSim(t *testing.T) {
	p := pod{
		namespace: names.FlaggerNamespace, name: "flagger-1-a", replicaSet: "flagger-1", phase: "Running",
		labels: map[string]string{"app.kubernetes.io/name": "flagger"}, container: "flagger", portName: "http", port: 8080,
	}
	series := map[string]string{"__name__": "flagger_canary_weight", "name": "backend", "namespace": "develop", "workload": "backend"}
	got, ok := jobs(t)["flagger"].scraped(p, series)
	want := maps.Clone(series)
	want["job"] = "flagger"
	if !ok || !maps.Equal(got, want) {
		t.Errorf("\ngot  %v\nwant %v", got, want)
	}
}

func TestOtherPortsAndDeadPodsAreNotScraped(t *testing.T) {
	alive := pod{namespace: names.DevelopNamespace, name: "a-1-b", replicaSet: "a-1", phase: "Running", labels: standinLabels("a")}
	targets := map[string]func(*pod){
		"users' port":        func(p *pod) { p.container, p.portName, p.port = "a", "http", 8080 },
		"proxy's other port": func(p *pod) { p.container, p.port = names.ProxyContainer, names.InboundPort },
		"ended service": func(p *pod) {
			p.container, p.portName, p.port, p.phase = "a", "http-metrics", names.MetricsPort, "Succeeded"
		},
		"ended proxy": func(p *pod) { p.container, p.port, p.phase = names.ProxyContainer, names.AdminPort, "Failed" },
	}
	for name, change := range targets {
		p := alive
		change(&p)
		for _, j := range jobs(t) {
			if j.Name == "prometheus" {
				continue // has one fixed target
			}
			if got, ok := j.scraped(p, map[string]string{"__name__": "x"}); ok {
				t.Errorf("%s: job %s scrapes it: %v", name, j.Name, got)
			}
		}
	}
}

func TestBoundsAreWrittenAsInTheSim(t *testing.T) {
	p := pod{
		namespace: names.DevelopNamespace, name: "a-1-b", replicaSet: "a-1", phase: "Running", container: "a", portName: "http-metrics", port: names.MetricsPort,
	}
	for scraped, want := range map[string]string{"0.005": "0.005", "1.0": "1", "10.0": "10", "50000.0": "50000", "2.5": "2.5", "+Inf": "+Inf"} {
		got, _ := jobs(t)["apps"].scraped(p, map[string]string{"__name__": "x_bucket", "le": scraped})
		if got["le"] != want {
			t.Errorf("le=%q became %q, want %q", scraped, got["le"], want)
		}
	}
	if got, _ := jobs(t)["apps"].scraped(p, map[string]string{"__name__": "x", "le": "1.0"}); got["le"] != "1.0" {
		t.Errorf("a label le of something that is no histogram became %q", got["le"])
	}
}
