// Package chart renders Helm charts with Helm as a library: what `helm template` does, without
// releases, a cluster or the helm command. It also downloads charts.
//
// Callers apply the objects, so nothing runs a chart's hooks: a chart with install hooks is
// rejected until its values disable them.
package chart

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	helmchart "helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"coalmine/lab/cluster/kind/apply"
)

// Release says how to render a chart.
type Release struct {
	// Name and Namespace as in `helm install NAME --namespace NAMESPACE`.
	Name, Namespace string
	// Values override the chart's own.
	Values map[string]any
	// Kubernetes is the cluster's version: "v1.35.4". Charts for other versions are rejected.
	Kubernetes string
	// APIVersions are the cluster's API versions beyond Kubernetes's own:
	// "policy.linkerd.io/v1beta3".
	APIVersions []string
	// Patches are applied to the rendered objects: see [Patch]. Each must find its object.
	Patches []Patch
}

// Render returns the objects of a packaged chart (.tgz): first the CRDs of its folder crds, then
// the others in Helm's install order.
func Render(archive []byte, r Release) ([]*unstructured.Unstructured, error) {
	c, err := loader.LoadArchive(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("chart %s: read the archive: %w", r.Name, err)
	}
	objects, err := objectsOf(c, r)
	if err == nil {
		err = patch(objects, r.Patches)
	}
	if err != nil {
		return nil, fmt.Errorf("chart %s %s: %w", c.Name(), c.Metadata.Version, err)
	}
	return objects, nil
}

func objectsOf(c *helmchart.Chart, r Release) ([]*unstructured.Unstructured, error) {
	files, capabilities, err := renderTemplates(c, r)
	if err != nil {
		return nil, err
	}
	hooks, manifests, err := releaseutil.SortManifests(files, capabilities.APIVersions, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	if err := refuseHooks(hooks); err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	add := func(file string, text []byte) error {
		objects, err := apply.Decode(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, objects...)
		return nil
	}
	for _, crd := range c.CRDObjects() {
		if err := add(crd.Filename, crd.File.Data); err != nil {
			return nil, err
		}
	}
	for _, m := range manifests {
		if err := add(m.Name, []byte(m.Content)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// renderTemplates executes the chart's templates. The result maps files to their text.
func renderTemplates(c *helmchart.Chart, r Release) (map[string]string, *chartutil.Capabilities, error) {
	capabilities, err := r.capabilities()
	if err != nil {
		return nil, nil, err
	}
	if want := c.Metadata.KubeVersion; want != "" &&
		!chartutil.IsCompatibleRange(want, capabilities.KubeVersion.Version) {
		return nil, nil, fmt.Errorf("requires Kubernetes %s, and the cluster has %s", want,
			capabilities.KubeVersion.Version)
	}
	if err := chartutil.ProcessDependencies(c, r.Values); err != nil {
		return nil, nil, err
	}
	options := chartutil.ReleaseOptions{Name: r.Name, Namespace: r.Namespace, Revision: 1, IsInstall: true}
	values, err := chartutil.ToRenderValues(c, r.Values, options, capabilities)
	if err != nil {
		return nil, nil, err
	}
	files, err := engine.Render(c, values)
	if err != nil {
		return nil, nil, err
	}
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	return files, capabilities, nil
}

func (r Release) capabilities() (*chartutil.Capabilities, error) {
	version, err := chartutil.ParseKubeVersion(r.Kubernetes)
	if err != nil {
		return nil, fmt.Errorf("version of Kubernetes %q: %w", r.Kubernetes, err)
	}
	c := chartutil.DefaultCapabilities.Copy()
	c.KubeVersion = *version
	c.APIVersions = slices.Concat(c.APIVersions, chartutil.VersionSet(r.APIVersions))
	return c, nil
}

// refuseHooks rejects install hooks. Hooks of `helm test` and of deleting, rolling back or
// upgrading a release are ignored: none of that happens here.
func refuseHooks(hooks []*release.Hook) error {
	var errs []error
	for _, h := range hooks {
		if slices.Contains(h.Events, release.HookPreInstall) || slices.Contains(h.Events, release.HookPostInstall) {
			errs = append(errs, fmt.Errorf("%s: %s %s is an install hook, which nothing would run: disable it with "+
				"a value", h.Path, h.Kind, h.Name))
		}
	}
	return errors.Join(errs...)
}
