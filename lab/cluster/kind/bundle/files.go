package bundle

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
)

// readSmall reads a file of at most maxSmall bytes.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSmall {
		return nil, fmt.Errorf("%s: larger than %d MB", path, maxSmall>>20)
	}
	return data, nil
}

// loadChart reads a chart, packaged or in a folder.
func loadChart(path string) (Chart, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Chart{}, fmt.Errorf("read the chart: %w", err)
	}
	if !info.IsDir() {
		data, err := readSmall(path)
		if err != nil {
			return Chart{}, fmt.Errorf("read the chart: %w", err)
		}
		c, err := parseChart(data)
		if err != nil {
			return Chart{}, &InputError{fmt.Errorf("%s: %w", path, err),
				"give a chart's folder, or its package from `helm package`"}
		}
		return c, nil
	}
	loaded, err := loader.LoadDir(path)
	if err != nil {
		return Chart{}, &InputError{fmt.Errorf("%s: not a chart: %w", path, err),
			"give the folder with the chart's Chart.yaml"}
	}
	data, err := packageChart(loaded)
	if err != nil {
		return Chart{}, fmt.Errorf("%s: package the chart: %w", path, err)
	}
	return Chart{loaded.Name(), loaded.Metadata.Version, data}, nil
}

// parseChart reads the name and the version of a packaged chart.
func parseChart(data []byte) (Chart, error) {
	c, err := loader.LoadArchive(bytes.NewReader(data))
	if err != nil {
		return Chart{}, fmt.Errorf("not a packaged chart: %w", err)
	}
	if !isPlain(c.Name()) {
		return Chart{}, fmt.Errorf("%q is not a valid chart name", c.Name())
	}
	return Chart{c.Name(), c.Metadata.Version, data}, nil
}

// packageChart packages a chart as Helm does, but without times: the same chart gives the same
// bytes.
func packageChart(c *chart.Chart) ([]byte, error) {
	files := slices.Clone(c.Raw)
	slices.SortFunc(files, func(a, b *chart.File) int { return cmp.Compare(a.Name, b.Name) })
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	t := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: c.Name() + "/" + f.Name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f.Data)),
			ModTime: time.Unix(0, 0)}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.Data); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// hintCRDs says which CRDs are accepted.
const hintCRDs = "give a YAML file with CRDs only; those of Gateway API are named " + GatewayAPI + ".yaml"

// loadCRDs reads YAML documents that are CRDs, identified by the name of the file.
func loadCRDs(path string) (CRDs, error) {
	data, err := readSmall(path)
	if err != nil {
		return CRDs{}, fmt.Errorf("read the CRDs: %w", err)
	}
	n := 0
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; n++ {
		var object struct {
			Kind string `yaml:"kind"`
		}
		err := d.Decode(&object)
		if err == io.EOF {
			break
		}
		if err != nil {
			return CRDs{}, inputError(hintCRDs, "%s: not CRDs: %w", path, err)
		}
		if object.Kind == "" {
			n-- // an empty document
		} else if object.Kind != "CustomResourceDefinition" {
			return CRDs{}, inputError(hintCRDs, "%s: contains a %s", path, object.Kind)
		}
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if n == 0 || !isPlain(name) {
		return CRDs{}, inputError(hintCRDs, "%s: no CRDs in it", path)
	}
	return CRDs{name, data}, nil
}

// hintConfig refers to kind's documentation.
const hintConfig = "see https://kind.sigs.k8s.io/docs/user/configuration"

// loadConfig reads a kind configuration and returns the node image that it names, or "".
func loadConfig(path string) (config []byte, image string, err error) {
	if config, err = readSmall(path); err != nil {
		return nil, "", fmt.Errorf("read kind's configuration: %w", err)
	}
	var cluster struct {
		Kind  string `yaml:"kind"`
		Nodes []struct {
			Image string `yaml:"image"`
		} `yaml:"nodes"`
	}
	if err := yaml.Unmarshal(config, &cluster); err != nil {
		return nil, "", inputError(hintConfig, "%s: not a kind cluster configuration: %w", path, err)
	}
	if cluster.Kind != "Cluster" {
		return nil, "", inputError(hintConfig, "%s: not a kind cluster configuration", path)
	}
	for _, n := range cluster.Nodes {
		if image != "" && n.Image != image {
			return nil, "", inputError("name one image for all nodes, or none and use --node-image",
				"%s: names several node images", path)
		}
		image = n.Image
	}
	return config, image, nil
}
