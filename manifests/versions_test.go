package manifests

import (
	"strings"
	"testing"
)

func TestVersionsAreReadStrictly(t *testing.T) {
	good, err := files.ReadFile("versions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][3]string{
		"unknown field":       {"  tag: ", "  tga: ", "tga"},
		"node without digest": {"@sha256:", "@sha255:", "node.image"},
		"other Kubernetes":    {"kubernetes: v1.35.8", "kubernetes: v1.36.0", "node.kubernetes"},
		"short digest":        {"sha256: ca146cd", "sha256: ca146c", "flagger: sha256"},
		"no chart":            {"- name: linkerd-viz", "- name: linkerd-vis", "charts: want"},
		"plain http":          {"repo: https://flagger", "repo: http://flagger", "repo: want https"},
		"moving load tester":  {"flagger-loadtester:0.37.0", "flagger-loadtester:latest", "loadTester.image"},
		"unnamed load tester": {"flagger-loadtester:0.37.0", "flagger-loadtester", "loadTester.image"},
		"other Gateway API":   {"version: v1.2.1", "version: v1.2.2", "gatewayAPI.version"},
	} {
		text := strings.Replace(string(good), change[0], change[1], 1)
		if text == string(good) {
			t.Errorf("%s: versions.yaml has no %q", name, change[0])
		}
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), change[2]) {
			t.Errorf("%s: error %v, want one about %q", name, err, change[2])
		}
	}
}

func TestEndlessIncludeIsAnError(t *testing.T) {
	if _, err := render("cluster/namespaces.yaml", templateData{}, maxDepth+1); err == nil {
		t.Error("no bound")
	}
}
