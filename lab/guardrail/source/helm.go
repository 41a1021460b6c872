package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"

	"coalmine/lab/guardrail"
	"coalmine/lab/input"
)

// isChart reports whether a folder is a Helm chart.
func isChart(folder string) bool { return firstOf(folder, "Chart.yaml") != "" }

// readChart renders a chart with files of values, and says how to render it if there are none.
func readChart(ctx context.Context, folder string, values []string) (guardrail.Input, error) {
	if len(values) == 0 {
		name := filepath.Base(folder)
		if abs, err := filepath.Abs(folder); err == nil {
			name = filepath.Base(abs)
		}
		return guardrail.Input{}, invalid("Chart.yaml", "this is a Helm chart, whose templates are not YAML yet",
			fmt.Sprintf("render it: helm template %s %s | coalmine lint -; or give --helm-values FILE, for example "+
				"its values.yaml", guardrail.Clip(name), guardrail.Clip(folder)))
	}
	files, err := chartFiles(ctx, folder)
	if err != nil {
		return guardrail.Input{}, err
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return guardrail.Input{}, invalid("Chart.yaml", "Helm cannot read the chart: "+shorten(err.Error(), folder), "")
	}
	merged := map[string]any{}
	for _, name := range values {
		given, err := readValues(ctx, name)
		if err != nil {
			return guardrail.Input{}, err
		}
		merged = chartutil.CoalesceTables(given, merged)
	}
	rendered, err := render(c, merged)
	if err != nil {
		return guardrail.Input{}, invalid("Chart.yaml", "Helm cannot render the chart: "+shorten(err.Error(), folder),
			"run helm template with the same values")
	}
	return rendered, nil
}

// render executes the templates, without a cluster: the function lookup finds nothing. Findings name
// the template, since lines of the output are not lines of it.
func render(c *chart.Chart, values map[string]any) (guardrail.Input, error) {
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return guardrail.Input{}, err
	}
	options := chartutil.ReleaseOptions{Name: c.Name(), Namespace: "default", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return guardrail.Input{}, err
	}
	texts, err := engine.Render(c, all)
	if err != nil {
		return guardrail.Input{}, err
	}
	in := guardrail.Input{Files: map[string][]byte{}, Origins: map[string][]guardrail.Origin{}}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		text := texts[name]
		file := strings.TrimPrefix(name, c.Name()+"/")
		if ext := path.Ext(name); ext != ".yaml" && ext != ".yml" && ext != ".json" || strings.TrimSpace(text) == "" {
			continue
		}
		in.Files[file] = []byte(text)
		in.Origins[file] = slices.Repeat([]guardrail.Origin{{File: file}}, 1+strings.Count(text, "---"))
	}
	in.Notes = []guardrail.Finding{note("the chart was rendered without a cluster, and without its packed dependencies",
		"")}
	return in, nil
}

func readValues(ctx context.Context, name string) (map[string]any, error) {
	data, err := input.ReadFile(ctx, name, guardrail.MaxFileSize)
	if err != nil {
		return nil, invalid(name, "cannot be read: "+err.Error(), "name a file of values")
	}
	if _, err := guardrail.Documents(name, data); err != nil {
		return nil, err
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, invalid(name, "is not a file of values: "+shorten(err.Error(), name), "write a mapping")
	}
	return values, nil
}

// chartFiles reads the files of a chart. Packed dependencies, which can be much larger than they
// seem, are left out.
func chartFiles(ctx context.Context, folder string) ([]*loader.BufferedFile, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("opening the chart: %w", err)
	}
	defer root.Close()
	var files []*loader.BufferedFile
	total, entries := 0, 0
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if entries++; err == nil && entries > guardrail.MaxEntries {
			err = invalid(guardrail.WholeSet, "the chart has too many files", "give the chart alone")
		}
		if err == nil {
			err = ctx.Err()
		}
		skipped := name != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{".tgz", ".gz"},
			path.Ext(name)))
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped:
			return fs.SkipDir
		case skipped || !d.Type().IsRegular():
			return nil
		}
		data, err := guardrail.ReadRegular(root, name)
		if err != nil {
			return err
		}
		if total += len(data); total > guardrail.MaxTotalSize {
			return invalid(guardrail.WholeSet, fmt.Sprintf("the chart is larger than %d bytes", guardrail.MaxTotalSize),
				"give the chart alone")
		}
		if path.Ext(name) == ".yaml" && !strings.Contains("/"+name, "/templates/") {
			if _, err := guardrail.Documents(name, data); err != nil {
				return err
			}
		}
		files = append(files, &loader.BufferedFile{Name: name, Data: data})
		return nil
	})
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return nil, fmt.Errorf("reading the chart: %w", err)
	}
	return files, err
}
