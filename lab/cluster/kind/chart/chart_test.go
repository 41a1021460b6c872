package chart_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"coalmine/lab/cluster/kind/chart"
	"coalmine/lab/cluster/names"
	"coalmine/manifests"
)

const kubernetes = "v1.35.4"

// small is a chart that covers everything the package decides.
func small() fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return fstest.MapFS{
		"Chart.yaml":  file("apiVersion: v2\nname: small\nversion: 1.0.0\nkubeVersion: '>=1.30.0-0'\n"),
		"values.yaml": file("color: red\nsize: {width: 1, height: 2}\nhook: none\n"),
		"crds/crd.yaml": file("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n" +
			"metadata: {name: things.example.com}\n"),
		"templates/NOTES.txt":    file("{{ .Values.color }} is not YAML: at all: {"),
		"templates/_helpers.tpl": file(`{{ define "small.name" }}{{ .Release.Name }}-{{ .Values.color }}{{ end }}`),
		"templates/deployment.yaml": file("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: {{ " +
			".Release.Namespace }}}\n"),
		"templates/config.yaml": file(`apiVersion: v1
kind: ConfigMap
metadata: {name: {{ include "small.name" . }}, namespace: {{ .Release.Namespace }}}
data:
  size: {{ .Values.size.width }}x{{ .Values.size.height }}
  kubernetes: {{ .Capabilities.KubeVersion.Version }}
  things: {{ .Capabilities.APIVersions.Has "example.com/v1" | quote }}
---
{{ if eq .Values.color "blue" }}
apiVersion: v1
kind: ServiceAccount
metadata: {name: account, namespace: {{ .Release.Namespace }}}
{{ end }}
`),
		"templates/hook.yaml": file("{{ if ne .Values.hook \"none\" }}\napiVersion: batch/v1\nkind: Job\n" +
			"metadata: {name: job, annotations: {helm.sh/hook: {{ .Values.hook }}}}\n{{ end }}\n"),
	}
}

func nameList(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, o := range objects {
		all = append(all, o.GetKind()+" "+o.GetName())
	}
	return all
}

func release(values map[string]any) chart.Release {
	return chart.Release{Name: "rel", Namespace: "here", Kubernetes: kubernetes, Values: values,
		APIVersions: []string{"example.com/v1"}}
}

func TestRender(t *testing.T) {
	got, err := chart.Render(pack(t, "small", small()), release(map[string]any{"color": "blue",
		"size": map[string]any{"width": 7}}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"CustomResourceDefinition things.example.com", "ServiceAccount account", "ConfigMap rel-blue",
		"Deployment d"}
	if !slices.Equal(nameList(got), want) {
		t.Fatalf("objects %q, want %q", nameList(got), want)
	}
	data, _, _ := unstructured.NestedStringMap(got[2].Object, "data")
	if data["size"] != "7x2" || data["kubernetes"] != kubernetes || data["things"] != "true" {
		t.Errorf("data %v", data)
	}
	if ns := got[3].GetNamespace(); ns != "here" {
		t.Errorf("namespace %q", ns)
	}
}

func TestRenderErrors(t *testing.T) {
	patches, err := chart.Patches([]byte("- {kind: Deployment, name: other, patch: [{op: remove, path: /spec}]}"))
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(fstest.MapFS, *chart.Release){
		"is an install hook": func(_ fstest.MapFS,
			r *chart.Release) {
			r.Values = map[string]any{"hook": "post-install"}
		},
		"requires Kubernetes >=1.30.0-0":   func(_ fstest.MapFS, r *chart.Release) { r.Kubernetes = "v1.29.0" },
		"version of Kubernetes \"newest\"": func(_ fstest.MapFS, r *chart.Release) { r.Kubernetes = "newest" },
		"no such object":                   func(_ fstest.MapFS, r *chart.Release) { r.Patches = patches },
		"templates/deployment.yaml": func(f fstest.MapFS, _ *chart.Release) {
			f["templates/deployment.yaml"].Data = []byte("{{ .Values.a.b.c }}")
		},
		"has no name": func(f fstest.MapFS, _ *chart.Release) {
			f["crds/crd.yaml"].Data = []byte("apiVersion: v1\nkind: Thing\n")
		},
		"Chart.yaml": func(f fstest.MapFS, _ *chart.Release) { delete(f, "Chart.yaml") },
	} {
		folder, r := small(), release(nil)
		change(folder, &r)
		if _, err := chart.Render(pack(t, "small", folder), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	if _, err := chart.Render([]byte("no archive"), release(nil)); err == nil {
		t.Error("bytes that are no archive were rendered")
	}
}

func TestOtherHooksAreSkipped(t *testing.T) {
	for _, hook := range []string{"test", "pre-delete", "post-upgrade"} {
		got, err := chart.Render(pack(t, "small", small()), release(map[string]any{"hook": hook}))
		if err != nil || slices.Contains(nameList(got), "Job job") {
			t.Errorf("hook %s: %v, %v", hook, nameList(got), err)
		}
	}
}

// pack makes the archive that `helm package` would.
func pack(t *testing.T, name string, folder fs.FS) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err := fs.WalkDir(folder, ".", func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(folder, file)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: name + "/" + file, Mode: 0o644, Size: int64(len(data))}); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// flagger renders the chart of the Flagger that go.mod names, with our values and patches.
func flagger(t *testing.T, mesh string) []*unstructured.Unstructured {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/fluxcd/flagger").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	p := manifests.Params{Mesh: mesh}
	values, err := manifests.Values(manifests.Flagger, p)
	if err != nil {
		t.Fatal(err)
	}
	text, err := manifests.Render("flagger/patches.yaml", p)
	if err != nil {
		t.Fatal(err)
	}
	patches, err := chart.Patches(text)
	if err != nil {
		t.Fatal(err)
	}
	folder := os.DirFS(filepath.Join(strings.TrimSpace(string(out)), "charts", "flagger"))
	r := chart.Release{Name: "flagger", Namespace: names.FlaggerNamespace, Kubernetes: kubernetes, Values: values,
		Patches: patches}
	objects, err := chart.Render(pack(t, "flagger", folder), r)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestFlaggersChart(t *testing.T) {
	for mesh, policies := range map[string]int{names.Linkerd: 1, "testmesh": 0} {
		objects := flagger(t, mesh)
		kinds := map[string]int{}
		for _, o := range objects {
			kinds[o.GetKind()]++
			if o.GetKind() == "Deployment" {
				checkFlagger(t, mesh, o)
			}
		}
		for kind, want := range map[string]int{
			"CustomResourceDefinition": 3, "Deployment": 1, "ServiceAccount": 1, "ClusterRole": 1,
			"ClusterRoleBinding": 1, "AuthorizationPolicy": policies,
		} {
			if kinds[kind] != want {
				t.Errorf("mesh %s: %d of kind %s, want %d", mesh, kinds[kind], kind, want)
			}
		}
	}
}

func checkFlagger(t *testing.T, mesh string, o *unstructured.Unstructured) {
	t.Helper()
	var d appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, &d, true); err != nil {
		t.Fatal(err)
	}
	if d.Namespace != names.FlaggerNamespace || d.Name != "flagger" {
		t.Errorf("Deployment %s/%s", d.Namespace, d.Name)
	}
	c := d.Spec.Template.Spec.Containers[0]
	pins, err := manifests.Versions()
	if err != nil {
		t.Fatal(err)
	}
	if pinned, _ := pins.Chart(manifests.Flagger); !slices.Equal(pinned.Images, []string{c.Image}) {
		t.Errorf("image %s, pinned %v", c.Image, pinned.Images)
	}
	for _, want := range []string{"/home/flagger/flagger", "-mesh-provider=gatewayapi:v1beta1",
		"-metrics-server=http://prometheus.linkerd-viz:9090"} {
		if !slices.Contains(c.Command, want) {
			t.Errorf("command %q lacks %s", c.Command, want)
		}
	}
	if c.LivenessProbe.HTTPGet == nil || c.ReadinessProbe.HTTPGet == nil || c.LivenessProbe.Exec != nil {
		t.Errorf("probes %v, %v: want those of the kubelet", c.LivenessProbe, c.ReadinessProbe)
	}
	want := map[string]string{names.Linkerd: "enabled", "testmesh": "disabled"}[mesh]
	if got := d.Spec.Template.Annotations[names.InjectAnnotation]; got != want {
		t.Errorf("mesh %s: injection is %q, want %q", mesh, got, want)
	}
}
