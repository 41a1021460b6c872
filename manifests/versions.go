package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Pins are the versions of everything in a cluster: see versions.yaml.
type Pins struct {
	Node       Node       `yaml:"node"`
	GatewayAPI GatewayAPI `yaml:"gatewayAPI"`
	Charts     []Chart    `yaml:"charts"`
	LoadTester LoadTester `yaml:"loadTester"`
	Prometheus Prometheus `yaml:"prometheus"`
}

// Node is kind's node image.
type Node struct {
	// Image has a tag and a digest.
	Image string `yaml:"image"`
	// Kubernetes is its version of Kubernetes: "v1.35.8".
	Kubernetes string `yaml:"kubernetes"`
}

// GatewayAPI is the source of Gateway API's CRDs: the YAML files of a folder in a zip archive.
type GatewayAPI struct {
	Version string `yaml:"version"`
	URL     string `yaml:"url"`
	SHA256  string `yaml:"sha256"`
	Folder  string `yaml:"folder"`
}

// Chart is a Helm chart in a repository.
type Chart struct {
	Name    string `yaml:"name"`
	Repo    string `yaml:"repo"`
	Version string `yaml:"version"`
	// SHA256 of the archive in hexadecimal; "" if only the repository's index has it.
	SHA256 string `yaml:"sha256"`
	// Images are the images of the chart's pods with coalmine's values, except Prometheus.
	Images []string `yaml:"images"`
}

// LoadTester is Flagger's load tester, which a cluster may lack.
type LoadTester struct {
	// Image has a tag.
	Image string `yaml:"image"`
}

// Prometheus is the image of Prometheus.
type Prometheus struct {
	Registry string `yaml:"registry"`
	Name     string `yaml:"name"`
	Tag      string `yaml:"tag"`
}

// Image returns the complete image name.
func (p Prometheus) Image() string { return p.Registry + "/" + p.Name + ":" + p.Tag }

// The charts.
const (
	LinkerdCRDs         = "linkerd-crds"
	LinkerdControlPlane = "linkerd-control-plane"
	LinkerdViz          = "linkerd-viz"
	Flagger             = "flagger"
)

// charts returns all charts in install order.
func charts() []string { return []string{LinkerdCRDs, LinkerdControlPlane, LinkerdViz, Flagger} }

// Versions parses versions.yaml. It fails only if this build of coalmine is broken.
func Versions() (Pins, error) {
	text, err := files.ReadFile("versions.yaml")
	if err != nil {
		return Pins{}, err
	}
	return parse(text)
}

// parse is strict: it rejects unknown fields and anything that is not pinned.
func parse(text []byte) (Pins, error) {
	var p Pins
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	err := d.Decode(&p)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return Pins{}, fmt.Errorf("versions.yaml: %w", err)
	}
	return p, nil
}

func (p Pins) check() error {
	var errs []error
	demand := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what))
		}
	}
	_, digest, _ := strings.Cut(p.Node.Image, "@sha256:")
	demand(isSHA256(digest), "node.image: has no digest")
	demand(strings.Contains(p.Node.Image, ":"+p.Node.Kubernetes+"@"),
		"node.kubernetes: does not match the tag of node.image")
	demand(isSHA256(p.GatewayAPI.SHA256), "gatewayAPI.sha256: want 64 hexadecimal digits")
	demand(strings.HasPrefix(p.GatewayAPI.URL, "https://"), "gatewayAPI.url: want https")
	demand(p.GatewayAPI.Folder != "", "gatewayAPI.folder: is missing")
	demand(strings.Contains(p.GatewayAPI.URL, p.GatewayAPI.Version) && p.GatewayAPI.Version != "",
		"gatewayAPI.version: does not match the url")
	demand(p.Prometheus.Registry != "" && p.Prometheus.Name != "" && p.Prometheus.Tag != "",
		"prometheus: want registry, name and tag")
	_, tag, _ := strings.Cut(p.LoadTester.Image[strings.LastIndex(p.LoadTester.Image, "/")+1:], ":")
	demand(tag != "" && tag != "latest", "loadTester.image: has no version")
	var names []string
	for _, c := range p.Charts {
		names = append(names, c.Name)
		demand(c.Version != "", "charts: "+c.Name+": version: is missing")
		demand(strings.HasPrefix(c.Repo, "https://"), "charts: "+c.Name+": repo: want https")
		demand(c.SHA256 == "" || isSHA256(c.SHA256), "charts: "+c.Name+": sha256: want 64 hexadecimal digits or none")
	}
	demand(slices.Equal(names, charts()), fmt.Sprintf("charts: want %v, have %v", charts(), names))
	return errors.Join(errs...)
}

func isSHA256(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// Chart returns the chart of a name.
func (p Pins) Chart(name string) (Chart, bool) {
	i := slices.IndexFunc(p.Charts, func(c Chart) bool { return c.Name == name })
	if i < 0 {
		return Chart{}, false
	}
	return p.Charts[i], true
}

// Images returns the images of all pods in a cluster with Linkerd, except the node's, coalmine's
// own and the optional ones.
func (p Pins) Images() []string {
	images := []string{p.Prometheus.Image()}
	for _, c := range p.Charts {
		images = append(images, c.Images...)
	}
	return images
}

// OptionalImages returns the images that a cluster may lack.
func (p Pins) OptionalImages() []string { return []string{p.LoadTester.Image} }

// BaseImages returns those of Images that do not depend on the mesh: Prometheus and Flagger.
func (p Pins) BaseImages() []string {
	flagger, _ := p.Chart(Flagger)
	return append([]string{p.Prometheus.Image()}, flagger.Images...)
}
