package bundle

import (
	"fmt"
	"slices"
	"strings"

	"coalmine/manifests"
)

// Needs is what a bring-up with a mesh takes from its source.
type Needs struct {
	// Node is the node image in full, with its digest. A bundle may have another one.
	Node   string
	Images []string
	Charts []manifests.Chart
	CRDs   []string
}

// NeedsOf returns what a mesh needs at the pinned versions. Nil is Linkerd.
func NeedsOf(pins manifests.Pins, mesh *Mesh) Needs {
	n := Needs{Node: pins.Node.Image, Images: pins.BaseImages(), CRDs: []string{GatewayAPI}}
	if mesh == nil {
		n.Images = pins.Images()
	} else {
		n.Images = append(n.Images, mesh.Image)
	}
	for _, c := range pins.Charts {
		if mesh == nil || c.Name == manifests.Flagger {
			n.Charts = append(n.Charts, c)
		}
	}
	return n
}

// Need is one thing that a mesh needs.
type Need struct {
	Kind Kind `json:"kind"`
	// Name is an image's name in full, a chart's, or that of CRDs.
	Name string `json:"name"`
	// Version is a chart's.
	Version string `json:"version,omitempty"`
}

// Kind of thing that a mesh needs.
type Kind string

// Kinds of things.
const (
	KindNode  Kind = "node image"
	KindImage Kind = "image"
	KindChart Kind = "chart"
	KindCRDs  Kind = "CRDs"
)

func (n Need) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", n.Kind, n.Name, n.Version))
}

// Missing says what isn't among the contents. Any node image and any version of a chart will do.
func (n Needs) Missing(m *Manifest) []Need {
	var missing []Need
	if m.Node == nil || m.Node.Archive == nil {
		missing = append(missing, Need{Kind: KindNode, Name: n.Node})
	}
	images := map[string]bool{}
	for _, i := range m.Images {
		for _, ref := range i.Refs {
			images[mustFullRef(ref)] = true
		}
	}
	for _, ref := range n.Images {
		if !images[mustFullRef(ref)] {
			missing = append(missing, Need{Kind: KindImage, Name: mustFullRef(ref)})
		}
	}
	for _, c := range n.Charts {
		if !slices.ContainsFunc(m.Charts, func(have ChartFile) bool { return have.Name == c.Name }) {
			missing = append(missing, Need{Kind: KindChart, Name: c.Name, Version: c.Version})
		}
	}
	for _, name := range n.CRDs {
		if !slices.ContainsFunc(m.CRDs, func(have CRDFile) bool { return have.Name == name }) {
			missing = append(missing, Need{Kind: KindCRDs, Name: name})
		}
	}
	return missing
}

// OtherVersions says which charts are not at the version that this coalmine was written for.
func (n Needs) OtherVersions(m *Manifest) []string {
	var others []string
	for _, c := range n.Charts {
		for _, have := range m.Charts {
			if have.Name == c.Name && have.Version != c.Version {
				others = append(others, fmt.Sprintf("chart %s is %s: this coalmine was written for %s", c.Name, have.Version, c.Version))
			}
		}
	}
	return others
}

// mustFullRef is fullRef for names that were checked before.
func mustFullRef(ref string) string {
	full, err := fullRef(ref)
	if err != nil {
		return ref
	}
	return full
}
