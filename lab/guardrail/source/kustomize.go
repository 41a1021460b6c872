package source

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"

	"coalmine/lab/guardrail"
	"coalmine/lab/input/yamlpos"
)

func kustomizationNames() []string {
	return []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}
}

// kustomizationIn returns the name of the folder's Kustomization, or "".
func kustomizationIn(folder string) string { return firstOf(folder, kustomizationNames()...) }

// buildKustomization builds a folder as `kubectl kustomize` does, without anything remote and
// without plugins.
func buildKustomization(folder, name string) (guardrail.Input, error) {
	folder, err := filepath.EvalSymlinks(folder)
	if err == nil {
		folder, err = filepath.Abs(folder)
	}
	if err != nil {
		return guardrail.Input{}, fmt.Errorf("finding the Kustomization: %w", err)
	}
	base := enclosing(folder)
	root, err := os.OpenRoot(base)
	if err != nil {
		return guardrail.Input{}, fmt.Errorf("opening the Kustomization: %w", err)
	}
	defer root.Close()
	rel, err := filepath.Rel(base, folder)
	if err != nil {
		return guardrail.Input{}, fmt.Errorf("finding the Kustomization: %w", err)
	}
	f := &folderFS{root: root, top: path.Join(filepath.ToSlash(rel), name)}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(f, path.Join("/", filepath.ToSlash(rel)))
	if f.problem != nil {
		return guardrail.Input{}, f.problem
	}
	if err != nil {
		return guardrail.Input{}, invalid(name, "kustomize cannot build it: "+shorten(err.Error(), base),
			"run kubectl kustomize "+filepath.Base(folder))
	}
	return f.input(built.Resources())
}

// shorten keeps what an error of kustomize says of the input.
func shorten(text, base string) string {
	const most = 400
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, base, "")), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// input returns the built objects as one file, each with the document that it comes from.
func (f *folderFS) input(resources []*resource.Resource) (guardrail.Input, error) {
	var out bytes.Buffer
	var origins []guardrail.Origin
	for _, r := range resources {
		origin, err := r.GetOrigin()
		if err != nil {
			return guardrail.Input{}, fmt.Errorf("reading what kustomize built: %w", err)
		}
		original := r.OrgId()
		if origin == nil {
			origins = append(origins, guardrail.Origin{File: path.Base(f.top)})
		} else {
			origins = append(origins, f.origin(origin, original.Kind, original.Name))
		}
		if err := r.SetOrigin(nil); err != nil {
			return guardrail.Input{}, fmt.Errorf("reading what kustomize built: %w", err)
		}
		text, err := r.AsYAML()
		if err != nil {
			return guardrail.Input{}, fmt.Errorf("reading what kustomize built: %w", err)
		}
		fmt.Fprintf(&out, "---\n%s", text)
		if out.Len() > guardrail.MaxFileSize {
			return guardrail.Input{}, invalid(path.Base(f.top), fmt.Sprintf("kustomize builds more than %d bytes",
				guardrail.MaxFileSize), "build less at once")
		}
	}
	return guardrail.Input{
		Files:   map[string][]byte{builtFile: out.Bytes()},
		Origins: map[string][]guardrail.Origin{builtFile: origins},
	}, nil
}

// origin finds the document of a resource in the file that it comes from.
func (f *folderFS) origin(o *resource.Origin, kind, name string) guardrail.Origin {
	if o.Path == "" {
		return guardrail.Origin{File: path.Clean(o.ConfiguredIn)}
	}
	found := guardrail.Origin{File: path.Clean(o.Path)}
	data, err := guardrail.ReadRegular(f.root, local(path.Join(path.Dir(f.top), o.Path)))
	if err != nil {
		return found
	}
	documents, _ := guardrail.Documents(found.File, data) // kustomize has read them
	for _, d := range documents {
		k, _ := yamlpos.Root(d).Find("kind")
		n, _ := yamlpos.Root(d).Find("metadata", "name")
		if k.Value != nil && n.Value != nil && k.Value.Value == kind && n.Value.Value == name {
			found.Document = d
			break
		}
	}
	return found
}

// withOrigins asks kustomize to say where each object comes from.
func withOrigins(documents []*yaml.Node, data []byte) ([]byte, error) {
	if len(documents) != 1 || documents[0].Kind != yaml.MappingNode {
		return data, nil // kustomize says what is wrong
	}
	top := *documents[0]
	top.Content = slices.Clone(top.Content)
	word := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "originAnnotations"}
	list, ok := yamlpos.Root(&top).Child("buildMetadata")
	switch {
	case !ok:
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "buildMetadata"}
		top.Content = append(top.Content, key, &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq",
			Content: []*yaml.Node{word}})
	case list.Value.Kind == yaml.SequenceNode &&
		!slices.ContainsFunc(list.Value.Content, func(n *yaml.Node) bool { return n.Value == word.Value }):
		list.Value.Content = append(list.Value.Content, word)
	}
	return yaml.Marshal(&top)
}

// remotePattern matches what kustomize takes for a repository or a file elsewhere: it fetches these
// itself or runs git. A path that merely looks like one has to start with "./".
var remotePattern = regexp.MustCompile(
	`(?i)^\s*(git::|(www\.)?github\.com[:/]|[a-z0-9_.~-]+@|[a-z][a-z0-9+.-]*:/)|://|^\s*[a-z0-9_.-]+:[^\s{]`)

// refusedReference returns why a Kustomization cannot be built here, or "".
func refusedReference(n *yaml.Node, field string) (message, hint string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if message, hint = refusedField(key, n.Content[i+1]); message != "" {
				return message, hint
			}
			if message, hint = refusedReference(n.Content[i+1], key); message != "" {
				return message, hint
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if message, hint = refusedReference(item, field); message != "" {
				return message, hint
			}
		}
	case yaml.ScalarNode:
		if refersToFiles(field) && !strings.Contains(n.Value, "\n") && remotePattern.MatchString(n.Value) {
			return fmt.Sprintf("line %d: %s is not fetched: only files of this repository are read", n.Line,
					guardrail.Clip(n.Value)),
				"build it where it can be fetched: kubectl kustomize DIR | coalmine lint -"
		}
	}
	return "", ""
}

// refersToFiles reports whether a field of a Kustomization names files or folders.
func refersToFiles(field string) bool {
	return slices.Contains([]string{"resources", "bases", "components", "crds", "configurations", "path", "files",
		"envs", "env", "patchesStrategicMerge", "patches"}, field)
}

// refusedField reports what would run a program, or needs one.
func refusedField(key string, value *yaml.Node) (message, hint string) {
	switch key {
	case "helmCharts", "helmChartInflationGenerator", "generators", "transformers", "validators":
		if len(value.Content) > 0 {
			return fmt.Sprintf("line %d: %s are not run", value.Line, key),
				"build it with them: kubectl kustomize DIR | coalmine lint -"
		}
	}
	return "", ""
}

// dropNested removes the Kustomizations below a folder that is not one, and their patches, which are
// no objects of their own.
func dropNested(files map[string][]byte) []guardrail.Finding {
	var nested []string
	for name, data := range files {
		if !slices.Contains(kustomizationNames(), path.Base(name)) {
			continue
		}
		nested = append(nested, path.Dir(name))
		delete(files, name)
		documents, _ := guardrail.Documents(name, data) // one that cannot be read has no patches
		for _, d := range documents {
			for _, patch := range patchFiles(d) {
				delete(files, path.Join(path.Dir(name), patch))
			}
		}
	}
	if len(nested) == 0 {
		return nil
	}
	slices.Sort(nested)
	shown := strings.Join(nested[:min(len(nested), 5)], ", ")
	return []guardrail.Finding{note(fmt.Sprintf("Kustomizations in %d subfolders were not built: %s", len(nested),
		shown), "give one of them to read it as it is applied")}
}

// patchFiles returns the files that a Kustomization applies as patches.
func patchFiles(d *yaml.Node) []string {
	var names []string
	for _, field := range []string{"patches", "patchesStrategicMerge", "patchesJson6902"} {
		list, _ := yamlpos.Root(d).Child(field)
		for _, item := range list.Items() {
			p, ok := item.Child("path")
			switch {
			case ok:
				names = append(names, p.Value.Value)
			case item.Value.Kind == yaml.ScalarNode && !strings.Contains(item.Value.Value, "\n"):
				names = append(names, item.Value.Value)
			}
		}
	}
	return names
}
