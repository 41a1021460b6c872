package testmesh_test

import (
	"fmt"
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
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
	"coalmine/manifests"
)

// TestPrometheusIsWhereVizHasIt compares names with those of Linkerd's viz extension.
func TestPrometheusIsWhereVizHasIt(t *testing.T) {
	text, err := manifests.Render("testmesh/prometheus.yaml", params(t))
	if err != nil {
		t.Fatal(err)
	}
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		var o struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
			Spec     struct{ Ports []struct{ Port int } }
		}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		if ns := o.Metadata.Namespace; ns != "" && ns != names.VizNamespace {
			t.Errorf("%s %s is in namespace %s, want %s", o.Kind, o.Metadata.Name, ns, names.VizNamespace)
		}
		if o.Kind == "Service" && (o.Metadata.Name != names.PrometheusService ||
			o.Spec.Ports[0].Port != names.PrometheusPort) {
			t.Errorf("Service %s:%d, want %s:%d", o.Metadata.Name, o.Spec.Ports[0].Port, names.PrometheusService,
				names.PrometheusPort)
		}
	}
}

// TestVizScrapesTheSame compares the jobs that Linkerd's own Prometheus is given in addition to its
// own.
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
			t.Errorf("job %s differs from the test mesh's", j.Name)
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

// job is the part of a scrape job that decides on labels.
type job struct {
	Name        string            `yaml:"job_name"`
	HonorLabels bool              `yaml:"honor_labels"`
	Relabel     []*relabel.Config `yaml:"relabel_configs"`
	Metric      []*relabel.Config `yaml:"metric_relabel_configs"`
}

func jobs(t *testing.T) map[string]job {
	t.Helper()
	text, err := manifests.Render("testmesh/prometheus-config.yaml", params(t))
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
		"__meta_kubernetes_namespace": p.namespace, "__meta_kubernetes_pod_name": p.name,
		"__meta_kubernetes_pod_phase":           p.phase,
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

// scraped returns the labels of a series after a scrape, as Prometheus puts them together
// (prometheus, scrape/target.go, PopulateLabels; scrape/scrape.go, mutateSampleLabels).
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

// injectedLabels are those that the injector gives to a pod of a Deployment.
func injectedLabels(deployment string) map[string]string {
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
	template := map[string]string{"app": "backend-primary", "version": "v1", "pod-template-hash": "5d8f7",
		"example.com/tier": "core"}
	p := pod{
		namespace: names.DevelopNamespace, name: "backend-primary-5d8f7-x2x9z", replicaSet: "backend-primary-5d8f7",
		phase:  "Running",
		labels: injectedLabels("backend-primary"), container: "backend", portName: "http-metrics",
		port: names.MetricsPort,
	}
	maps.Copy(p.labels, template)
	series := map[string]string{"__name__": "app_http_requests_total", "route": "/", "cohort": "all", "version": "v2",
		"status": "200"}
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
	template := map[string]string{"app": "backend", "version": "v1", "pod-template-hash": "5d8f7", "namespace": "lies",
		"job": "lies", "pod": "lies"}
	p := pod{
		namespace: names.DevelopNamespace, name: "backend-5d8f7-x2x9z", replicaSet: "backend-5d8f7", phase: "Pending",
		labels: injectedLabels("backend"), container: names.ProxyContainer, portName: "", port: names.AdminPort,
	}
	maps.Copy(p.labels, template)
	series := map[string]string{"__name__": "response_latency_ms_bucket", "direction": "inbound", "tls": "true",
		"le": "100.0"}
	got, ok := jobs(t)["linkerd-proxy"].scraped(p, series)
	if !ok {
		t.Fatal("the target was dropped")
	}
	want := asMap(mesh.PodLabels("linkerd-proxy", p.namespace, p.name, "backend", template))
	maps.Copy(want, series)
	want["le"] = "100"
	want["control_plane_ns"] = names.MeshNamespace // Linkerd's has it, too; the sim's pods have no such label
	if !maps.Equal(got, want) {
		t.Errorf("\ngot  %v\nwant %v", got, want)
	}
}

func TestFlaggersSeriesAreLabelledAsInTheSim(t *testing.T) {
	p := pod{
		namespace: names.FlaggerNamespace, name: "flagger-1-a", replicaSet: "flagger-1", phase: "Running",
		labels: map[string]string{"app.kubernetes.io/name": "flagger"}, container: "flagger",
		portName: "http", port: 8080,
	}
	series := map[string]string{"__name__": "flagger_canary_weight", "name": "backend", "namespace": "develop",
		"workload": "backend"}
	got, ok := jobs(t)["flagger"].scraped(p, series)
	want := maps.Clone(series)
	want["job"] = "flagger"
	if !ok || !maps.Equal(got, want) {
		t.Errorf("\ngot  %v\nwant %v", got, want)
	}
}

func TestOtherPortsAndDeadPodsAreNotScraped(t *testing.T) {
	alive := pod{namespace: names.DevelopNamespace, name: "a-1-b", replicaSet: "a-1", phase: "Running",
		labels: injectedLabels("a")}
	targets := map[string]func(*pod){
		"users' port":        func(p *pod) { p.container, p.portName, p.port = "a", "http", 8080 },
		"proxy's other port": func(p *pod) { p.container, p.port = names.ProxyContainer, wire.InboundPort },
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
		namespace: names.DevelopNamespace, name: "a-1-b", replicaSet: "a-1", phase: "Running", container: "a",
		portName: "http-metrics", port: names.MetricsPort,
	}
	for scraped, want := range map[string]string{"0.005": "0.005", "1.0": "1", "10.0": "10", "50000.0": "50000",
		"2.5": "2.5", "+Inf": "+Inf"} {
		got, _ := jobs(t)["apps"].scraped(p, map[string]string{"__name__": "x_bucket", "le": scraped})
		if got["le"] != want {
			t.Errorf("le=%q became %q, want %q", scraped, got["le"], want)
		}
	}
	if got, _ := jobs(t)["apps"].scraped(p, map[string]string{"__name__": "x", "le": "1.0"}); got["le"] != "1.0" {
		t.Errorf("a label le of something that is no histogram became %q", got["le"])
	}
}
