package flux

import (
	"encoding/json"
	"fmt"
	"path"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"coalmine/lab/cluster/names"
	"coalmine/manifests"
)

// gatewayAPI is the Git repository with the CRDs of Gateway API.
const gatewayAPI = "https://github.com/kubernetes-sigs/gateway-api"

// crdFolder is where it has those of the standard channel.
const crdFolder = "./config/crd/standard"

// meshNamespaces is the file of the lab's own manifests that has the namespaces of the mesh.
const meshNamespaces = "cluster/namespaces.yaml"

// params are what the charts' values are filled in with. The certificates are in a Secret.
func params() manifests.Params { return manifests.Params{Mesh: names.Linkerd} }

// chartOf returns the pinned chart.
func chartOf(pins manifests.Pins, name string) (manifests.Chart, error) {
	for _, c := range pins.Charts {
		if c.Name == name {
			return c, nil
		}
	}
	return manifests.Chart{}, fmt.Errorf("there is no chart %s in versions.yaml", name)
}

// release is a chart with the values that coalmine up installs it with.
func (t *tree) release(pins manifests.Pins, name, namespace, repository string, after ...string) *helmv2.HelmRelease {
	chart, err := chartOf(pins, name)
	if err != nil {
		t.errs = append(t.errs, err)
		return nil
	}
	values, err := manifests.Values(name, params())
	if err != nil {
		t.errs = append(t.errs, err)
		return nil
	}
	if name == manifests.LinkerdControlPlane {
		delete(values, "identity")
		delete(values, "identityTrustAnchorsPEM")
	}
	r := &helmv2.HelmRelease{
		TypeMeta:   metav1.TypeMeta{APIVersion: helmv2.GroupVersion.String(), Kind: helmv2.HelmReleaseKind},
		ObjectMeta: meta(name, namespace),
		Spec: helmv2.HelmReleaseSpec{
			Interval: every(chartInterval), Timeout: within(timeout), ReleaseName: name,
			Chart: &helmv2.HelmChartTemplate{Spec: helmv2.HelmChartTemplateSpec{Chart: name, Version: chart.Version,
				SourceRef: helmv2.CrossNamespaceObjectReference{Kind: sourcev1.HelmRepositoryKind, Name: repository,
					Namespace: repositoryNamespace(name)}}},
			Install: &helmv2.Install{CRDs: helmv2.CreateReplace},
			Upgrade: &helmv2.Upgrade{CRDs: helmv2.CreateReplace},
		},
	}
	for _, name := range after {
		r.Spec.DependsOn = append(r.Spec.DependsOn, helmv2.DependencyReference{Name: name,
			Namespace: names.MeshNamespace})
	}
	if len(values) > 0 {
		raw, err := json.Marshal(values)
		if err != nil {
			t.errs = append(t.errs, err)
		}
		r.Spec.Values = &apiextensionsv1.JSON{Raw: raw}
	}
	return r
}

// repositoryNamespace is where the repository of a chart is.
func repositoryNamespace(chart string) string {
	if chart == manifests.Flagger {
		return names.FlaggerNamespace
	}
	return names.MeshNamespace
}

// linkerd is the mesh: namespaces, Gateway API's CRDs, and three charts.
func (t *tree) linkerd(pins manifests.Pins) {
	const source = "linkerd-edge"
	t.namespaces(path.Join(Linkerd, "namespaces.yaml"), names.MeshNamespace, names.VizNamespace)
	t.put(path.Join(Linkerd, "gateway-api.yaml"),
		&sourcev1.GitRepository{
			TypeMeta:   metav1.TypeMeta{APIVersion: sourcev1.GroupVersion.String(), Kind: sourcev1.GitRepositoryKind},
			ObjectMeta: meta("gateway-api", names.MeshNamespace),
			Spec: sourcev1.GitRepositorySpec{URL: gatewayAPI, Interval: every(chartInterval),
				Reference: &sourcev1.GitRepositoryRef{Tag: pins.GatewayAPI.Version}},
		},
		&kustomizev1.Kustomization{
			TypeMeta: metav1.TypeMeta{APIVersion: kustomizev1.GroupVersion.String(),
				Kind: kustomizev1.KustomizationKind},
			ObjectMeta: meta("gateway-api", names.MeshNamespace),
			Spec: kustomizev1.KustomizationSpec{Interval: every(chartInterval), Timeout: within(timeout), Wait: true,
				Path: crdFolder, SourceRef: kustomizev1.CrossNamespaceSourceReference{
					Kind: sourcev1.GitRepositoryKind, Name: "gateway-api"}},
		})
	crds, err := chartOf(pins, manifests.LinkerdCRDs)
	if err != nil {
		t.errs = append(t.errs, err)
	}
	t.put(path.Join(Linkerd, "repository.yaml"), helmRepository(source, names.MeshNamespace, crds.Repo))
	plane := t.release(pins, manifests.LinkerdControlPlane, names.MeshNamespace, source, manifests.LinkerdCRDs)
	if plane != nil {
		plane.Spec.ValuesFrom = []fluxmeta.ValuesReference{{Kind: "Secret", Name: TrustSecret, ValuesKey: valuesKey}}
	}
	t.put(path.Join(Linkerd, "releases.yaml"),
		t.release(pins, manifests.LinkerdCRDs, names.MeshNamespace, source), plane,
		t.release(pins, manifests.LinkerdViz, names.VizNamespace, source, manifests.LinkerdControlPlane))
	t.kustomization(Linkerd, "namespaces.yaml", "gateway-api.yaml", "repository.yaml", "releases.yaml")
}

// flagger is the controller, with the patches that its chart has no value for.
func (t *tree) flagger(pins manifests.Pins) {
	t.namespaces(path.Join(Flagger, "namespace.yaml"), names.FlaggerNamespace)
	chart, err := chartOf(pins, manifests.Flagger)
	if err != nil {
		t.errs = append(t.errs, err)
	}
	t.put(path.Join(Flagger, "repository.yaml"), helmRepository(manifests.Flagger, names.FlaggerNamespace, chart.Repo))
	r := t.release(pins, manifests.Flagger, names.FlaggerNamespace, manifests.Flagger)
	if r != nil {
		render, err := patches()
		if err != nil {
			t.errs = append(t.errs, err)
		}
		r.Spec.PostRenderers = []helmv2.PostRenderer{{Kustomize: &render}}
	}
	t.put(path.Join(Flagger, "release.yaml"), r)
	t.kustomization(Flagger, "namespace.yaml", "repository.yaml", "release.yaml")
}

// patches are the changes to Flagger's chart.
func patches() (helmv2.Kustomize, error) {
	var k helmv2.Kustomize
	text, err := manifests.Render("flagger/patches.yaml", params())
	if err != nil {
		return k, err
	}
	var all []struct {
		Kind  string `json:"kind"`
		Name  string `json:"name"`
		Patch []any  `json:"patch"`
	}
	if err := yaml.UnmarshalStrict(text, &all); err != nil {
		return k, fmt.Errorf("flagger/patches.yaml: %w", err)
	}
	for _, p := range all {
		patch, err := patch(p.Kind, p.Name, p.Patch)
		if err != nil {
			return k, err
		}
		k.Patches = append(k.Patches, patch)
	}
	return k, nil
}
