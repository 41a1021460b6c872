package manifests_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/cluster/names"
	"coalmine/manifests"
)

func TestEverythingIsPinned(t *testing.T) {
	pins, err := manifests.Versions()
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range append(pins.Images(), pins.OptionalImages()...) {
		if _, tag, ok := strings.Cut(image[strings.LastIndex(image, "/"):], ":"); !ok || tag == "latest" {
			t.Errorf("image %s has no version", image)
		}
	}
	if base := pins.BaseImages(); len(base) != 2 {
		t.Errorf("base images %v, want Prometheus's and Flagger's", base)
	}
}

// TestFilesAgreeWithNames renders every file and looks for what package names has.
func TestFilesAgreeWithNames(t *testing.T) {
	p := manifests.Params{Mesh: names.Linkerd, Roots: "roots: \"\n", IssuerCert: "cert\n", IssuerKey: "key\n"}
	for _, folder := range []string{"cluster", "flagger", "linkerd", "loadtester",
		"prometheus"} {
		text, err := manifests.Folder(folder, p)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "<no value>") {
			t.Errorf("%s: a value is missing", folder)
		}
	}
	values, err := manifests.Values(manifests.LinkerdControlPlane, p)
	if err != nil {
		t.Fatal(err)
	}
	if got := values["identityTrustAnchorsPEM"]; got != p.Roots {
		t.Errorf("trust anchors %q, want %q", got, p.Roots)
	}
	var namespaces []string
	for _, d := range documents(t, "cluster/namespaces.yaml") {
		namespaces = append(namespaces, d["metadata"].(map[string]any)["name"].(string))
	}
	want := []string{names.LabNamespace, names.MeshNamespace, names.VizNamespace, names.FlaggerNamespace}
	if !slices.Equal(namespaces, want) {
		t.Errorf("namespaces %v, want %v", namespaces, want)
	}
}

func TestExtraFilesIncludeTheEmbedded(t *testing.T) {
	p := manifests.Params{Extra: map[string]string{"a/b.yaml": `{{ include "prometheus/bounds.yaml" }}`}}
	got, err := manifests.Render("a/b.yaml", p)
	if err != nil {
		t.Fatal(err)
	}
	want, err := manifests.Render("prometheus/bounds.yaml", p)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// TestOnlyLinkerdAuthorizesFlagger looks at the value: without Linkerd's CRDs its policies
// cannot be applied.
func TestOnlyLinkerdAuthorizesFlagger(t *testing.T) {
	for m, want := range map[string]bool{names.Linkerd: true, "testmesh": false} {
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
	text, err := manifests.Render(name, manifests.Params{Mesh: names.Linkerd})
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
