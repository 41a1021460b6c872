package bundle

import (
	"fmt"
	"slices"
	"strings"

	"coalmine/manifests"
)

// Needs is what installing with a mesh takes from its source.
type Needs struct {
	// Node is the complete name of the node image, with its digest. A bundle may have another one.
	Node   string
	Images []string
	Charts []manifests.Chart
	CRDs   []string
	// Optional are images that a cluster may lack, and then plays less of some guardrails.
	Optional []string
}

// NeedsOf returns what a mesh needs at the pinned versions. Nil is Linkerd.
func NeedsOf(pins manifests.Pins, mesh *Mesh) Needs {
	n := Needs{Node: pins.Node.Image, Images: pins.BaseImages(), CRDs: []string{GatewayAPI},
		Optional: pins.OptionalImages()}
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

// Need is one item that a mesh needs.
type Need struct {
	Kind Kind `json:"kind"`
	// Name is the complete name of an image, or the name of a chart or of CRDs.
	Name string `json:"name"`
	// Version is a chart's version.
	Version string `json:"version,omitempty"`
}

// Kind of a need.
type Kind string

// Kinds of needs.
const (
	KindNode  Kind = "node image"
	KindImage Kind = "image"
	KindChart Kind = "chart"
	KindCRDs  Kind = "CRDs"
)

func (n Need) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", n.Kind, n.Name, n.Version))
}

// Missing returns what the contents lack. Any node image and any version of a chart is accepted.
func (n Needs) Missing(m *Manifest) []Need {
	var missing []Need
	if m.Node == nil || m.Node.Archive == nil {
		missing = append(missing, Need{Kind: KindNode, Name: n.Node})
	}
	missing = append(missing, missingImages(n.Images, m)...)
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

// MissingOptional returns the optional images that the contents lack.
func (n Needs) MissingOptional(m *Manifest) []Need { return missingImages(n.Optional, m) }

func missingImages(wanted []string, m *Manifest) []Need {
	images := map[string]bool{}
	for _, i := range m.Images {
		for _, ref := range i.Refs {
			images[mustFullRef(ref)] = true
		}
	}
	var missing []Need
	for _, ref := range wanted {
		if !images[mustFullRef(ref)] {
			missing = append(missing, Need{Kind: KindImage, Name: mustFullRef(ref)})
		}
	}
	return missing
}

// OtherVersions lists the charts of other versions than this coalmine was built for.
func (n Needs) OtherVersions(m *Manifest) []string {
	var others []string
	for _, c := range n.Charts {
		for _, have := range m.Charts {
			if have.Name == c.Name && have.Version != c.Version {
				others = append(others, fmt.Sprintf("chart %s is %s: this coalmine was built for %s", c.Name,
					have.Version, c.Version))
			}
		}
	}
	return others
}

// mustFullRef is fullRef for names that have been checked before.
func mustFullRef(ref string) string {
	full, err := fullRef(ref)
	if err != nil {
		return ref
	}
	return full
}
