package guardrail

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// recording is what a test needs of a recording of real Linkerd: what was applied, and what the API
// server or Linkerd's webhook said against it.
type recording struct {
	Manifests string   `yaml:"manifests"`
	Refused   []string `yaml:"refused"`
	Steps     []struct {
		Apply   string   `yaml:"apply"`
		Refused []string `yaml:"refused"`
	} `yaml:"steps"`
}

// TestRecordedAdmission compares what is refused, and why, with what real Linkerd refused.
// COALMINE_LINKERD_RECORDINGS is another folder of recordings.
func TestRecordedAdmission(t *testing.T) {
	paths := []string{"testdata/linkerd/admission.yaml"}
	if dir := os.Getenv("COALMINE_LINKERD_RECORDINGS"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		if err != nil || len(more) == 0 {
			t.Fatalf("%s has no recordings (error %v)", dir, err)
		}
		paths = append(paths, more...)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var r recording
			if err := yaml.Unmarshal(data, &r); err != nil {
				t.Fatal(err)
			}
			checkAdmission(t, r.Manifests, r.Refused)
			for _, s := range r.Steps {
				checkAdmission(t, s.Apply, s.Refused)
			}
		})
	}
}

// checkAdmission compares the refusals of one or more manifests. Those of kinds that the lab
// provides, such as Deployments, are left out.
func checkAdmission(t *testing.T, manifests string, refused []string) {
	t.Helper()
	var kept []string
	for doc := range strings.SplitSeq(manifests, "\n---\n") {
		var id struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string `yaml:"kind"`
		}
		if yaml.Unmarshal([]byte(doc), &id) != nil {
			t.Fatalf("not YAML:\n%s", doc)
		}
		if k, _ := findKind(id.APIVersion, id.Kind); k != nil {
			kept = append(kept, doc)
		}
	}
	if len(kept) == 0 {
		return
	}
	_, err := Parse(map[string][]byte{"m.yaml": []byte(strings.Join(kept, "\n---\n"))}, recordedEnvironment())
	var found Errors
	errors.As(err, &found)
	found = slices.DeleteFunc(found, isOfLab)
	reasons := recordedReasons(refused)
	if len(reasons) == 0 {
		for _, f := range found {
			t.Errorf("Linkerd accepts this, but: %s\n%s", f, manifests)
		}
	}
	for _, r := range reasons {
		if !slices.ContainsFunc(found, r.isSaidBy) {
			t.Errorf("Linkerd refuses this with %q at %q, but got %v\n%s", r.text, r.field, found, manifests)
		}
	}
}

// isOfLab reports whether a finding is a rule of the lab, not of a cluster: one namespace, and names
// that Flagger needs.
func isOfLab(f Finding) bool {
	return strings.HasPrefix(f.Message, "Flagger creates HTTPRoute") ||
		strings.Contains(f.Message, "is not the lab's namespace") || strings.HasPrefix(f.Message, "refers to namespace")
}

func recordedEnvironment() Environment {
	services := map[string]int{"backend": 80, "backend-v1": 80, "backend-v2": 80, "both": 80, "empty": 80}
	return Environment{Namespace: "probe", Targets: slices.Sorted(maps.Keys(services)), Ports: services}
}

// reason is one reason of a refusal; field is empty for those of the webhook.
type reason struct{ field, text string }

// isSaidBy reports whether a finding gives the reason. Errors of regular expressions depend on
// whose package compiles them; their last line must agree.
func (r reason) isSaidBy(f Finding) bool {
	if r.field != "" {
		return f.Field == r.field && strings.Contains(f.Message, "Kubernetes refuses it: "+r.text)
	}
	if first, rest, ok := strings.Cut(r.text, "\n"); ok {
		return strings.Contains(f.Message, first) && strings.Contains(f.Message, rest[strings.LastIndex(rest,
			"error: ")+7:])
	}
	return strings.Contains(f.Message, "Linkerd refuses it: "+r.text)
}

// recordedReasons returns the reasons in what kubectl printed.
func recordedReasons(refused []string) []reason {
	all := strings.Join(refused, "\n")
	if _, text, ok := strings.Cut(all, "denied the request: "); ok {
		return []reason{{text: text}}
	}
	var list []reason
	_, all, _ = strings.Cut(all, "is invalid: ")
	for line := range strings.SplitSeq(all, "\n") {
		field, text, ok := strings.Cut(strings.TrimPrefix(line, "* "), ": ")
		if !ok || strings.Contains(text, "some validation rules were not checked") {
			continue
		}
		if field == "<nil>" {
			field = "spec"
		}
		list = append(list, reason{field, text})
	}
	return list
}
