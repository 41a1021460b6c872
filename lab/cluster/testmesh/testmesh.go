// Package testmesh is a small service mesh that replaces Linkerd in the end-to-end tests, on
// machines that cannot pull Linkerd's images. Its proxies route, authorize and count by package
// mesh, as the sim does; its names, ports and annotations are Linkerd's. It is a test tool: the
// coalmine program neither contains it nor knows it, and installs it from a bundle that
// cmd/testmesh makes.
//
// This package has its manifests and the order to apply them in. Package control is the control
// plane, proxy the sidecar, intercept what redirects a pod's connections to it.
package testmesh

import (
	"embed"
	"io/fs"
	"path"

	"coalmine/lab/cluster/kind/bundle"
)

// Name of the mesh, as run.started and `coalmine status` show it.
const Name = "testmesh"

//go:embed manifests/*.yaml
var files embed.FS

// Mesh returns the mesh for a bundle. Its pods run image.
func Mesh(image string) (*bundle.Mesh, error) {
	m := &bundle.Mesh{
		Name: Name, Image: image, Manifests: map[string]string{},
		Steps: []bundle.MeshStep{
			{Name: "policy-crds", Title: "CRDs of the mesh's policies", Manifests: []string{manifest("crds.yaml")}},
			{Name: "testmesh-control-plane", Title: "the test mesh's control plane", Manifests: []string{
				manifest("rbac.yaml"), manifest("control.yaml"), manifest("injector.yaml"),
			}},
			{Name: "prometheus", Title: "Prometheus", Manifests: []string{manifest("prometheus.yaml")}},
		},
	}
	names, err := fs.Glob(files, "manifests/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m.Manifests[manifest(path.Base(name))] = string(text)
	}
	return m, nil
}

// manifest is the name of a file among a bundle's manifests.
func manifest(file string) string { return Name + "/" + file }
