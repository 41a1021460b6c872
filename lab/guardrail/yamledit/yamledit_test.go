package yamledit

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const manifest = `# The shop.
kind: Canary
metadata: {name: podinfo, namespace: "test"}   # ours
spec:
  provider: istio
  service:
    port: 9898
    # gateways of Istio
    gateways:
    - mesh

    hosts: [a.example.com]
  query: |
    sum(a{app="podinfo"})
    / 2 # half
`

func root(t *testing.T, text string) *yaml.Node {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	return n.Content[0]
}

// child returns the value of a key.
func child(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				n = n.Content[i+1]
				break
			}
		}
	}
	return n
}

func remove(n *yaml.Node, key string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = append(n.Content[:i], n.Content[i+2:]...)
			return
		}
	}
}

// TestApply edits fields in every style and leaves the rest of the text.
func TestApply(t *testing.T) {
	for name, c := range map[string]struct {
		edit     func(n *yaml.Node)
		old, new string
	}{
		"plain":  {func(n *yaml.Node) { child(n, "spec", "provider").Value = "x" }, "provider: istio", "provider: x"},
		"flow":   {func(n *yaml.Node) { child(n, "metadata", "name").Value = "web" }, "name: podinfo", "name: web"},
		"quoted": {func(n *yaml.Node) { child(n, "metadata", "namespace").Value = "shop" }, `"test"`, `"shop"`},
		"number": {func(n *yaml.Node) { child(n, "spec", "service", "port").Value = "80" }, "9898", "80"},
		"block": {func(n *yaml.Node) {
			q := child(n, "spec", "query")
			q.Value = strings.Replace(q.Value, "podinfo", "web", 1)
		}, `app="podinfo"`, `app="web"`},
		"remove": {func(n *yaml.Node) { remove(child(n, "spec"), "provider") }, "  provider: istio\n", ""},
		"remove last": {func(n *yaml.Node) { remove(child(n, "spec", "service"), "hosts") },
			"    hosts: [a.example.com]\n", ""},
		"remove with comment": {func(n *yaml.Node) { remove(child(n, "spec", "service"), "gateways") },
			"    # gateways of Istio\n    gateways:\n    - mesh\n", ""},
		"remove in braces": {func(n *yaml.Node) { remove(child(n, "metadata"), "namespace") },
			`{name: podinfo, namespace: "test"}`, "{name: podinfo}"},
		"shorter list": {func(n *yaml.Node) { h := child(n, "spec", "service", "hosts"); h.Content = h.Content[:0] },
			"    hosts: [a.example.com]\n", "    hosts: []\n"},
		"insert": {func(n *yaml.Node) {
			s := child(n, "spec", "service")
			s.Content = append(s.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "name"},
				&yaml.Node{Kind: yaml.ScalarNode, Value: "web"})
		}, "    hosts: [a.example.com]\n", "    hosts: [a.example.com]\n    name: web\n"},
		"longer block": {func(n *yaml.Node) { child(n, "spec", "query").Value = "a\n/ b\n+ c\n" },
			"    sum(a{app=\"podinfo\"})\n    / 2 # half\n", "    a\n    / b\n    + c\n"},
	} {
		old := root(t, manifest)
		changed := Clone(old)
		c.edit(changed)
		got, err := Apply([]byte(manifest), []Change{{old, changed}})
		if want := strings.Replace(manifest, c.old, c.new, 1); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s\nnot\n%s", name, err, got, want)
		}
	}
}

// TestApplyAnew expects a text that cannot be edited in place to have the values at least.
func TestApplyAnew(t *testing.T) {
	for _, text := range []string{"a: >\n  folded\n  text\n", "a: \"two\n  lines\"\n", "- a: 1\n", "a: é\n"} {
		old := root(t, text)
		changed := Clone(old)
		value := changed.Content[len(changed.Content)-1]
		if value.Kind == yaml.MappingNode {
			value.Content[1].Value = "2"
		} else {
			value.Value = "new"
		}
		got, err := Apply([]byte(text), []Change{{old, changed}})
		if err != nil || !sameValue(root(t, string(got)), changed) {
			t.Errorf("%q: %v, %s", text, err, got)
		}
	}
}
