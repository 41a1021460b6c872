package kind

import (
	"bytes"
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
	"coalmine/loadgen"
	"coalmine/scenarios"
)

const testImage = "coalmine.dev/coalmine:test"

// library calls f for every scenario of the library.
func library(t *testing.T, f func(*testing.T, *scenario.Folder, *scenario.Scenario)) {
	names, err := scenario.Names(scenarios.Library())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			folder, err := scenario.Open(scenarios.Library(), name)
			if err != nil {
				t.Fatal(err)
			}
			s, err := folder.Load()
			if err != nil {
				t.Fatal(err)
			}
			f(t, folder, s)
		})
	}
}

// Flagger treats a changed template as a release: setting a Deployment to its current version must
// change nothing, and a release must change its template. The run knows which version that is.
func TestReleaseChangesOnlyTheVersion(t *testing.T) {
	library(t, func(t *testing.T, _ *scenario.Folder, s *scenario.Scenario) {
		for _, o := range workloadsOf(s, 3, testImage).Objects() {
			d, ok := o.(*appsv1.Deployment)
			if !ok {
				continue
			}
			svc := s.Service(d.Name)
			if again := releaseOf(s, d, svc.Baseline, 3); !reflect.DeepEqual(d, again) {
				t.Errorf("%s at %s changes by releasing the current version", d.Name, svc.Baseline)
			}
			if svc.Name != s.Release.Service {
				continue
			}
			for version := range svc.Versions {
				released := releaseOf(s, d, version, 3)
				f := cluster.RunSpec{Scenario: s, Seed: 3, Version: version}
				if got := versionOf(f, &released.Spec.Template.Spec); got != version {
					t.Errorf("%s runs %q after the release of %s", d.Name, got, version)
				}
				if version != svc.Baseline && reflect.DeepEqual(d.Spec.Template, released.Spec.Template) {
					t.Errorf("the release of %s %s changes nothing", d.Name, version)
				}
			}
		}
	})
}

// releaseOf returns a Deployment after the release of a version.
func releaseOf(s *scenario.Scenario, d *appsv1.Deployment, version string, seed uint64) *appsv1.Deployment {
	d = d.DeepCopy()
	workloadsOf(s, seed, testImage).SetVersion(d, s.Service(d.Name), version)
	return d
}

// Guardrails cannot tell a faulty release from a healthy one by its Deployment: the template, and
// its hash with it, depends on the seed alone. What the scenario itself gives its versions is the
// exception.
func TestTemplatesOfReleasesAreEqual(t *testing.T) {
	library(t, func(t *testing.T, _ *scenario.Folder, s *scenario.Scenario) {
		svc := s.Released()
		for name, v := range svc.Versions { // differences that are the scenario's
			v.Labels, v.Annotations, v.ServiceAccount = nil, nil, ""
			svc.Versions[name] = v
		}
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: svc.Name}, Spec: appsv1.DeploymentSpec{
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: make([]corev1.Container, 1)}}}}
		faulty, healthy := releaseOf(s, d, s.Release.Faulty, 3), releaseOf(s, d, s.Release.Healthy, 3)
		if diff := cmp.Diff(faulty, healthy); diff != "" {
			t.Errorf("the Deployments differ (-faulty +healthy):\n%s", diff)
		}
		if other := releaseOf(s, d, s.Release.Faulty, 4); reflect.DeepEqual(faulty, other) {
			t.Error("the template is the same under another seed")
		}
	})
}

// All of the library's guardrails are sent as objects of known kinds, with the agent's addresses.
func TestGuardrailsAreSentCompletely(t *testing.T) {
	library(t, func(t *testing.T, folder *scenario.Folder, s *scenario.Scenario) {
		variants, err := folder.Variants()
		if err != nil {
			t.Fatal(err)
		}
		for _, variant := range variants {
			files, err := folder.Files(variant)
			if err != nil {
				t.Fatal(err)
			}
			set, err := guardrail.Parse(files, guardrail.EnvironmentOf(s))
			if err != nil {
				continue // some are invalid on purpose
			}
			for _, o := range set.Objects {
				checkSent(t, variant, o)
			}
		}
	})
}

func checkSent(t *testing.T, variant string, o guardrail.Object) {
	object := o.Value.DeepCopyObject()
	workloads.RewriteEndpoints(object, endpoints{})
	u, err := toUnstructured(object)
	if err != nil {
		t.Errorf("%s: %s %s: %v", variant, o.Kind, o.Name, err)
		return
	}
	if u.GetKind() != o.Kind || u.GetName() != o.Name || u.GetAPIVersion() == "" {
		t.Errorf("%s: %s %s is sent as %s %s of %s", variant, o.Kind, o.Name, u.GetKind(), u.GetName(),
			u.GetAPIVersion())
	}
	if u.Object["status"] != nil || u.Object["metadata"].(map[string]any)["creationTimestamp"] != nil {
		t.Errorf("%s: %s %s is sent with fields that only the server sets", variant, o.Kind, o.Name)
	}
	text, err := json.Marshal(u.Object["spec"])
	if err != nil {
		t.Error(err)
	}
	for _, address := range []string{"prometheus.linkerd-viz", "hooks.slack.com"} {
		if bytes.Contains(text, []byte(address)) {
			t.Errorf("%s: %s %s still points to %s", variant, o.Kind, o.Name, address)
		}
	}
	if o.Kind == "Canary" {
		want := "http://gate.coalmine/prometheus/" + o.Name + ".develop"
		if got, _, _ := unstructured.NestedString(u.Object, "spec", "metricsServer"); got != want {
			t.Errorf("%s: the metrics server of canary %s is %s, want %s", variant, o.Name, got, want)
		}
	}
}

// replay is a scenario that replays a log in a folder below its own.
func replay(t *testing.T, log []byte) *scenario.Scenario {
	t.Helper()
	folder, err := scenario.Open(scenarios.Library(), "full-rollout")
	if err != nil {
		t.Fatal(err)
	}
	text, err := folder.Text(scenario.FileScenario)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Load(fstest.MapFS{"s/scenario.yaml": {Data: text}}, "s")
	if err != nil {
		t.Fatal(err)
	}
	if log != nil {
		w := s.Traffic
		w.Replay = &loadgen.Replay{Log: "logs/shop.log"}
		s.Traffic, s.Log = w, log
	}
	return s
}

// A pod finds the same files in its folder as the scenario was read from.
func TestScenarioIsMountedUnchanged(t *testing.T) {
	s := replay(t, []byte("a line\n"))
	m, err := scenarioConfigMap(s, "ns", "name")
	if err != nil {
		t.Fatal(err)
	}
	folder := map[string]bool{}
	for _, item := range scenarioVolume(s, "name").ConfigMap.Items {
		_, text := m.Data[item.Key]
		_, binary := m.BinaryData[item.Key]
		if !text && !binary {
			t.Errorf("the ConfigMap has no key %s", item.Key)
		}
		folder[path.Clean(item.Path)] = true
	}
	if !folder["scenario.yaml"] || !folder["logs/shop.log"] {
		t.Errorf("files %v", folder)
	}
	mounted := fstest.MapFS{"s/" + scenario.FileScenario: {Data: []byte(m.Data[keyScenario])}}
	if again, err := scenario.Load(mounted, "s"); err != nil || again.Name != s.Name {
		t.Errorf("the mounted scenario: %v", err)
	}
	large := make([]byte, 4<<20)
	for i, x := 0, uint32(1); i < len(large); i++ {
		x = x*1664525 + 1013904223
		large[i] = byte(x >> 24)
	}
	if _, err := scenarioConfigMap(replay(t, large), "ns", "name"); err == nil || !strings.Contains(err.Error(),
		"a ConfigMap has room for 900") {
		t.Errorf("a log that is too large: %v", err)
	}
	if _, err := scenarioConfigMap(&scenario.Scenario{}, "ns", "name"); err == nil {
		t.Error("a scenario without a source is sent")
	}
}

// The agent expects as many traffic pods as the Jobs have, and each is in the mesh unless its
// client is not.
func TestTrafficPods(t *testing.T) {
	s := replay(t, nil)
	s.Clients = append(s.Clients, scenario.Client{Name: "old-gateway", Unmeshed: true, ServiceAccount: "legacy"})
	c := &Cluster{trafficPods: 3, image: testImage, mesh: names.Linkerd}
	spec := c.runSpecOf(cluster.RunSpec{Scenario: s, Version: "v2", Seed: 9,
		Guardrails: &guardrail.Set{Files: map[string][]byte{"a.yaml": []byte("x")}}})
	for _, w := range s.Clients {
		job := c.trafficObjects(s, w)[1].(*batchv1.Job)
		if n := spec.TrafficPods[w.Name]; n != 3 || *job.Spec.Completions != 3 || *job.Spec.Parallelism != 3 {
			t.Errorf("client %s has %d pods at the agent", w.Name, n)
		}
		pod := job.Spec.Template
		if disabled := pod.Annotations[names.InjectAnnotation] == "disabled"; disabled != w.Unmeshed {
			t.Errorf("client %s: unmeshed %v", w.Name, disabled)
		}
		if !slices.Equal(pod.Spec.Containers[0].Args, []string{"traffic", "--client", w.Name}) ||
			pod.Spec.RestartPolicy != corev1.RestartPolicyNever {
			t.Errorf("client %s: %v", w.Name, pod.Spec)
		}
		if w.Unmeshed && pod.Spec.ServiceAccountName != "legacy" {
			t.Errorf("account %s", pod.Spec.ServiceAccountName)
		}
	}
	if spec.Guardrails["a.yaml"] != "x" || spec.Seed != 9 {
		t.Errorf("run spec %+v", spec)
	}
	if plain := c.runSpecOf(cluster.RunSpec{Scenario: s}); plain.Guardrails != nil {
		t.Error("an unguarded run has guardrails")
	}
	m, err := c.configMap(cluster.RunSpec{Scenario: s, Seed: 9}, names.LabNamespace, agentName)
	if err != nil {
		t.Fatal(err)
	}
	var read client.RunSpec
	if err := json.Unmarshal([]byte(m.Data[client.RunSpecFile]), &read); err != nil || read.Seed != 9 {
		t.Errorf("%+v, %v", read, err)
	}
}

func TestJobsAreAccountedFor(t *testing.T) {
	two := int32(2)
	for want, status := range map[string]batchv1.JobStatus{
		"":               {Succeeded: 2},
		"1 of 2 pods":    {Succeeded: 1},
		"1 pods of Job ": {Succeeded: 1, Failed: 1},
	} {
		why, err := unfinished(&batchv1.Job{Spec: batchv1.JobSpec{Completions: &two}, Status: status})
		if err != nil {
			why = err.Error()
		}
		if (why == "") != (want == "") || !strings.HasPrefix(why, want) || (err != nil) != (status.Failed > 0) {
			t.Errorf("%+v: %q, %v", status, why, err)
		}
	}
}

// A namespace stays in the mesh if its manifest does not mention it, and as it is if it does.
func TestNamespaceStaysMeshed(t *testing.T) {
	for said, want := range map[string]string{"": "enabled", "disabled": "disabled"} {
		ns := &corev1.Namespace{}
		if said != "" {
			ns.Annotations = map[string]string{names.InjectAnnotation: said}
		}
		keepInjected(ns)
		if got := ns.Annotations[names.InjectAnnotation]; got != want {
			t.Errorf("manifest %q, got %q", said, got)
		}
	}
}
