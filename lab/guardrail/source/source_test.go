package source

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coalmine/lab/guardrail"
)

const settings = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n"

// canary has an error on line 9: an interval without a unit.
const canary = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: backend
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}
  service: {port: 80, gatewayRefs: [{group: core, kind: Service, name: backend, port: 80}]}
  analysis:
    interval: "30"
    threshold: 2
    stepWeights: [10, 50, 100]
`

// tree writes files below a temporary folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// printed returns the notes and errors of what is loaded, one on a line.
func printed(t *testing.T, path string, o Options) string {
	t.Helper()
	env := guardrail.Environment{Namespace: "develop", Targets: []string{"backend"},
		Ports: map[string]int{"backend": 80}}
	set, err := Load(t.Context(), path, env, o)
	var lines []string
	if set != nil {
		for _, n := range set.Notes {
			lines = append(lines, "note: "+n.String())
		}
		for _, o := range set.Objects {
			lines = append(lines, "object: "+o.Kind+" "+o.Name+" "+o.Source.String())
		}
	}
	var found guardrail.Errors
	switch {
	case errors.As(err, &found):
		for _, f := range found {
			lines = append(lines, "error: "+f.String())
		}
	case err != nil:
		lines = append(lines, "another error: "+err.Error())
	}
	return strings.Join(lines, "\n")
}

func TestLoad(t *testing.T) {
	overlay := map[string]string{
		".git/HEAD": "ref: refs/heads/main\n",
		"base/kustomization.yaml": "resources: [canary.yaml]\nconfigMapGenerator: [{name: made, literals: [a=b]}]\n" +
			"generatorOptions: {disableNameSuffixHash: true}\n",
		"base/canary.yaml": canary,
		"overlays/prod/kustomization.yaml": "resources: [../../base]\n" +
			"patches: [{path: patch.yaml}]\nlabels: [{pairs: {team: shop}}]\n",
		"overlays/prod/patch.yaml": "apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: {name: backend}\n" +
			"spec: {analysis: {threshold: 3}}\n",
	}
	chart := map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n", "values.yaml": "name: settings\n",
		"templates/a.yaml":     strings.Replace(settings, "settings", "{{ .Values.name }}-{{ .Release.Name }}", 1),
		"templates/bad.yaml":   strings.Replace(canary, "30", "{{ .Values.interval }}", 1),
		"templates/_help.tpl":  `{{ define "x" }}{{ end }}`,
		"templates/NOTES.txt":  "{{ .Values.name }}",
		"templates/empty.yaml": "{{ if .Values.never }}a: b{{ end }}",
	}
	for name, c := range map[string]struct {
		files   map[string]string
		path    string
		options Options
		want    []string
	}{
		"standard input": {path: Stdin, options: Options{Stdin: strings.NewReader(canary)}, want: []string{
			"object: Canary backend stdin.yaml:1", `error: stdin.yaml:9: spec.analysis.interval: "30" has no unit`}},
		"one file of a chart": {files: chart, path: "templates/a.yaml", want: []string{
			"error: a.yaml: is a template of Helm: a.yaml; render the chart"}},
		"chart": {files: chart, want: []string{"error: Chart.yaml: this is a Helm chart", "helm template "}},
		"chart with values": {files: chart, options: Options{HelmValues: []string{"values.yaml"}}, want: []string{
			"note: guardrails: the chart was rendered without a cluster",
			"object: ConfigMap settings-shop templates/a.yaml",
			`error: templates/bad.yaml: spec.analysis.interval: is missing`}},
		"overlay": {files: overlay, path: "overlays/prod", want: []string{
			"object: ConfigMap made ../../base/kustomization.yaml", "object: Canary backend ../../base/canary.yaml:1",
			`error: ../../base/canary.yaml:9: spec.analysis.interval: "30" has no unit`}},
		"folder of Kustomizations": {files: overlay, want: []string{
			"note: guardrails: Kustomizations in 2 subfolders were not built: base, overlays/prod",
			"error: base/canary.yaml:9:"}},
		"variables": {files: map[string]string{"a.yaml": strings.Replace(settings, "settings",
			"${name}-${kind:=map}-$${x}${y}", 1)}, options: Options{Vars: map[string]string{"name": "my"}},
			want: []string{
				"note: guardrails: variables of Flux have no value: y; give it: --var y=VALUE",
				"note: guardrails: variables of Flux have their defaults: kind",
				"a.yaml:4: metadata.name: my-map-$${x}${y} is not a valid name"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := c.path
			if path != Stdin {
				dir := tree(t, c.files)
				path = filepath.Join(dir, c.path)
				for i, name := range c.options.HelmValues {
					c.options.HelmValues[i] = filepath.Join(dir, name)
				}
			}
			got := printed(t, path, c.options)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("got\n%s\nwhich does not contain %q", got, want)
				}
			}
		})
	}
}

// TestKustomizationIsContained tries what would be fetched, run, or read from elsewhere.
func TestKustomizationIsContained(t *testing.T) {
	outside := tree(t, map[string]string{"secret.yaml": settings, "kustomization.yaml": "resources: [secret.yaml]\n"})
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for _, pair := range []string{"ba", "cb", "dc", "ed", "fe", "gf", "hg"} {
		bomb += pair[:1] + ": &" + pair[:1] + " [" + strings.Repeat("*"+pair[1:]+", ", 9) + "]\n"
	}
	const fetched = "is not fetched"
	for text, want := range map[string]string{
		"resources: [https://example.com/a.yaml]":                           fetched,
		"resources: [http://127.0.0.1:1/a.yaml]":                            fetched,
		"resources: ['github.com/owner/repo//base?ref=main']":               fetched,
		"resources: [GitHub.com/owner/repo]":                                fetched,
		"resources: ['git@example.com:owner/repo']":                         fetched,
		"resources: ['git::https://example.com/x/y']":                       fetched,
		"resources: ['ssh://example.com/x/y']":                              fetched,
		"resources: ['file:///etc']":                                        fetched,
		"resources: ['example.com:x/y']":                                    fetched,
		"bases: [github.com/owner/repo]":                                    fetched,
		"components: [github.com/owner/repo]":                               fetched,
		"crds: [https://example.com/a.yaml]":                                fetched,
		"configurations: [https://example.com/a.yaml]":                      fetched,
		"openapi: {path: https://example.com/a.json}":                       fetched,
		"patches: [{path: https://example.com/a.yaml}]":                     fetched,
		"patchesStrategicMerge: [https://example.com/a.yaml]":               fetched,
		"replacements: [{path: https://example.com/a.yaml}]":                fetched,
		"configMapGenerator: [{name: a, files: [https://example.com/a]}]":   fetched,
		"configMapGenerator: [{name: a, files: [a=https://example.com/a]}]": fetched,
		"secretGenerator: [{name: a, envs: [https://example.com/a]}]":       fetched,
		"generators: [plugin.yaml]":                                         "generators are not run",
		"transformers: [plugin.yaml]":                                       "transformers are not run",
		"validators: [plugin.yaml]":                                         "validators are not run",
		"helmCharts: [{name: a}]":                                           "helmCharts are not run",
		"resources: [" + outside + "]":                                      "kustomize cannot build it",
		"resources: [" + outside + "/secret.yaml]":                          "kustomize cannot build it",
		"resources: [../../../../../../../../../../../../" + outside + "]":  "kustomize cannot build it",
		"resources: [link]":                                                 "kustomize cannot build it",
		"resources: [bomb.yaml]":                                            "YAML nodes in total",
		"resources: [pipe.yaml]":                                            "cannot build it",
		"resources: [aa]":                                                   "reads more than",
	} {
		t.Run(text, func(t *testing.T) {
			files := map[string]string{"kustomization.yaml": text, "bomb.yaml": bomb, "plugin.yaml": settings}
			for i := range 14 { // a diamond that would have 16,384 leaves
				next := "a" + string(rune('b'+i))
				this := "a" + string(rune('a'+i))
				files[this+"/kustomization.yaml"] = "resources: [../x" + next + ", ../z" + next + "]\n"
				files["x"+next+"/kustomization.yaml"] = "namePrefix: x\nresources: [../" + next + "]\n"
				files["z"+next+"/kustomization.yaml"] = "namePrefix: z\nresources: [../" + next + "]\n"
			}
			files["ao/kustomization.yaml"] = "resources: [a.yaml]\n"
			files["ao/a.yaml"] = settings
			dir := tree(t, files)
			if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			if got := printed(t, dir, Options{}); !strings.Contains(got, want) || strings.Contains(got, "object:") {
				t.Errorf("got %s, want %q", got, want)
			}
		})
	}
}

// TestLoadFiles builds a Kustomization that is not on the disk, which reaches nothing outside of it.
func TestLoadFiles(t *testing.T) {
	const outside = "../../../../../../../../etc/hostname"
	valid := strings.Replace(canary, `"30"`, "30s", 1)
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"plain": {map[string]string{"canary.yaml": valid}, ""},
		"built": {map[string]string{"base/canary.yaml": canary, "kustomization.yaml": "" +
			"resources: [base/canary.yaml]\n" +
			"patches:\n- target: {kind: Canary}\n  patch: |-\n    - op: replace\n" +
			"      path: /spec/analysis/interval\n      value: 30s\n"}, ""},
		"variable": {map[string]string{"canary.yaml": strings.Replace(valid, "30s", "${INTERVAL:=1m}", 1)}, ""},
		"broken": {map[string]string{"canary.yaml": canary, "kustomization.yaml": "resources: [canary.yaml]\n"},
			"no unit"},
		"outside": {map[string]string{"kustomization.yaml": "resources: [" + outside + "]\n"},
			"kustomize cannot build it"},
		"traversal": {map[string]string{"../canary.yaml": valid, "kustomization.yaml": "resources: []\n"},
			"write the files of a Kustomization"},
	} {
		files := map[string][]byte{}
		for name, text := range c.files {
			files[name] = []byte(text)
		}
		env := guardrail.Environment{Namespace: "develop", Targets: []string{"backend"},
			Ports: map[string]int{"backend": 80}}
		set, err := LoadFiles(t.Context(), files, env)
		switch {
		case c.want == "" && (err != nil || len(set.Objects) != 1):
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestParseVars(t *testing.T) {
	got, err := ParseVars([]string{"A=b=c", "d="})
	if err != nil || got["A"] != "b=c" || got["d"] != "" || len(got) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"A", "=x", "a-b=c", "A=b\nc"} {
		if _, err := ParseVars([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
