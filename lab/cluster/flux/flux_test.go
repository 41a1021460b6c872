package flux_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"coalmine/lab/cluster/flux"
	"coalmine/lab/cluster/kind/certs"
	"coalmine/manifests"
)

func files(t *testing.T, o flux.Options) map[string][]byte {
	t.Helper()
	all, err := flux.Files(o)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// objects decodes a file strictly into the types of Flux, by kind and name.
func objects(t *testing.T, name string, data []byte) map[string]any {
	t.Helper()
	all := map[string]any{}
	for text := range bytes.SplitSeq(bytes.TrimPrefix(data, []byte("---\n")), []byte("\n---\n")) {
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct{ Name string }
		}
		if err := yaml.Unmarshal(text, &head); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		into := map[string]any{
			"helm.toolkit.fluxcd.io/v2 HelmRelease":         &helmv2.HelmRelease{},
			"source.toolkit.fluxcd.io/v1 HelmRepository":    &sourcev1.HelmRepository{},
			"source.toolkit.fluxcd.io/v1 GitRepository":     &sourcev1.GitRepository{},
			"kustomize.toolkit.fluxcd.io/v1 Kustomization":  &kustomizev1.Kustomization{},
			"kustomize.config.k8s.io/v1beta1 Kustomization": &map[string]any{},
			"v1 Namespace": &map[string]any{},
		}[head.APIVersion+" "+head.Kind]
		if into == nil {
			t.Errorf("%s: %s %s is no object of Flux", name, head.APIVersion, head.Kind)
			continue
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Errorf("%s: %s %s: %v", name, head.Kind, head.Metadata.Name, err)
		}
		all[head.Kind+"/"+head.Metadata.Name] = into
	}
	return all
}

// TestObjects checks that every object is one of Flux's types, and that the charts have the versions
// and values that coalmine up installs.
func TestObjects(t *testing.T) {
	pins, err := manifests.Versions()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for name, data := range files(t, flux.Options{}) {
		if strings.HasSuffix(name, ".yaml") {
			for key, o := range objects(t, name, data) {
				all[key] = o
			}
		}
	}
	for _, chart := range pins.Charts {
		r, ok := all["HelmRelease/"+chart.Name].(*helmv2.HelmRelease)
		if !ok {
			t.Errorf("there is no release of %s", chart.Name)
			continue
		}
		if got := r.Spec.Chart.Spec; got.Chart != chart.Name || got.Version != chart.Version {
			t.Errorf("%s has the version %s, want %s", got.Chart, got.Version, chart.Version)
		}
		source, ok := all["HelmRepository/"+r.Spec.Chart.Spec.SourceRef.Name].(*sourcev1.HelmRepository)
		if !ok || source.Spec.URL != chart.Repo || source.Namespace != r.Spec.Chart.Spec.SourceRef.Namespace {
			t.Errorf("%s comes from %+v, want %s", chart.Name, r.Spec.Chart.Spec.SourceRef, chart.Repo)
		}
		checkValues(t, chart.Name, r)
		for _, on := range r.Spec.DependsOn {
			if after, ok := all["HelmRelease/"+on.Name].(*helmv2.HelmRelease); !ok || after.Namespace != on.Namespace {
				t.Errorf("%s depends on %s/%s, which does not exist", chart.Name, on.Namespace, on.Name)
			}
		}
	}
	git := all["GitRepository/gateway-api"].(*sourcev1.GitRepository)
	if git.Spec.Reference.Tag != pins.GatewayAPI.Version {
		t.Errorf("Gateway API is at %s, want %s", git.Spec.Reference.Tag, pins.GatewayAPI.Version)
	}
}

// checkValues compares the values of a release, with the Secret's, with those of coalmine up.
func checkValues(t *testing.T, chart string, r *helmv2.HelmRelease) {
	t.Helper()
	want, err := manifests.Values(chart, manifests.Params{Mesh: "linkerd"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	if r.Spec.Values != nil {
		if err := yaml.Unmarshal(r.Spec.Values.Raw, &got); err != nil {
			t.Fatal(err)
		}
	}
	secret := chart == manifests.LinkerdControlPlane
	if (len(r.Spec.ValuesFrom) == 1) != secret {
		t.Errorf("%s has values from %v", chart, r.Spec.ValuesFrom)
	}
	if secret {
		delete(want, "identity")
		delete(want, "identityTrustAnchorsPEM")
	}
	a, _ := yaml.Marshal(got)
	b, _ := yaml.Marshal(want)
	if !bytes.Equal(a, b) {
		t.Errorf("%s has the values\n%s\nwant\n%s", chart, a, b)
	}
}

// TestFoldersBuild builds every folder with a Kustomization by kustomize, and finds every path that a
// Flux Kustomization names.
func TestFoldersBuild(t *testing.T) {
	dir := t.TempDir()
	all := files(t, flux.Options{Develop: true, Guardrails: map[string][]byte{
		"canary.yaml": []byte("apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: {name: backend}\n")}})
	for name, data := range all {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for folder, least := range map[string]int{flux.Bootstrap: 3, flux.Linkerd: 8, flux.Flagger: 3, flux.Develop: 2} {
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(),
			filepath.Join(dir, folder))
		if err != nil || built.Size() < least {
			t.Errorf("%s builds %v, want %d objects or more: %v", folder, built, least, err)
		}
	}
	for key, o := range objects(t, "infrastructure.yaml", all[flux.Bootstrap+"/infrastructure.yaml"]) {
		k := o.(*kustomizev1.Kustomization)
		if _, ok := all[strings.TrimPrefix(k.Spec.Path, "./")+"/kustomization.yaml"]; !ok || k.Spec.Suspend {
			t.Errorf("%s applies %s, suspended: %v", key, k.Spec.Path, k.Spec.Suspend)
		}
	}
}

func TestDevelopIsOptIn(t *testing.T) {
	all := objects(t, "infrastructure.yaml", files(t, flux.Options{})[flux.Bootstrap+"/infrastructure.yaml"])
	for name, suspended := range map[string]bool{"linkerd": false, "flagger": false, "develop": true} {
		k := all["Kustomization/progressive-delivery-"+name].(*kustomizev1.Kustomization)
		if k.Spec.Suspend != suspended {
			t.Errorf("%s is suspended: %v", name, k.Spec.Suspend)
		}
	}
}

func TestTrust(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	data, err := flux.Trust(now)
	if err != nil {
		t.Fatal(err)
	}
	var secret struct {
		StringData map[string]string `json:"stringData"`
	}
	var values struct {
		Roots    string `json:"identityTrustAnchorsPEM"`
		Identity struct {
			Issuer struct {
				TLS struct{ CrtPEM, KeyPEM string }
			}
		}
	}
	if err := yaml.Unmarshal(data, &secret); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(secret.StringData["values.yaml"]), &values); err != nil {
		t.Fatal(err)
	}
	tls := values.Identity.Issuer.TLS
	chain := certs.Chain{Roots: []byte(values.Roots), IssuerCert: []byte(tls.CrtPEM), IssuerKey: []byte(tls.KeyPEM)}
	if _, err := chain.Check(now); err != nil {
		t.Error(err)
	}
}
