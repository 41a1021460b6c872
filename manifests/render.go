package manifests

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// Params are what files are filled in with.
type Params struct {
	// Mesh is "linkerd", or the name of a bundle's mesh.
	Mesh string
	// MeshImage is the image of that mesh.
	MeshImage string
	// Roots, IssuerCert and IssuerKey are PEM: the trust anchors, the issuer and its key.
	Roots, IssuerCert, IssuerKey string
	// Extra are files beside the embedded ones, by name.
	Extra map[string]string
}

// templateData is the data of a template: the parameters and the versions.
type templateData struct {
	Params
	Pins Pins
}

// Render fills a file in: "flagger/patches.yaml".
func Render(name string, p Params) ([]byte, error) {
	pins, err := Versions()
	if err != nil {
		return nil, err
	}
	text, err := render(name, templateData{p, pins}, 0)
	return []byte(text), err
}

// Folder fills in all files of a folder, in the order of their names, as one stream of YAML
// documents: "cluster".
func Folder(name string, p Params) ([]byte, error) {
	names, err := fs.Glob(files, path.Join(name, "*.yaml"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("manifests: folder %s has no YAML files", name)
	}
	var all bytes.Buffer
	for _, file := range names {
		text, err := Render(file, p)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&all, "---\n%s\n", text)
	}
	return all.Bytes(), nil
}

// Values returns the values to render a chart with.
func Values(chart string, p Params) (map[string]any, error) {
	name := path.Join(chartFolder(chart), chart+".values.yaml")
	text, err := Render(name, p)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("manifests: %s: %w", name, err)
	}
	return values, nil
}

// chartFolder returns the folder with the files of a chart.
func chartFolder(chart string) string {
	folder, _, _ := strings.Cut(chart, "-")
	return folder
}

// maxDepth bounds nested includes.
const maxDepth = 8

func (v templateData) read(name string) ([]byte, error) {
	if text, ok := v.Extra[name]; ok {
		return []byte(text), nil
	}
	return files.ReadFile(name)
}

func render(name string, v templateData, depth int) (string, error) {
	text, err := v.read(name)
	if err != nil {
		return "", fmt.Errorf("manifests: %w", err)
	}
	if depth > maxDepth {
		return "", fmt.Errorf("manifests: %s: endless include", name)
	}
	functions := template.FuncMap{
		"include": func(name string) (string, error) { return render(name, v, depth+1) },
		"indent":  indent,
		"quote":   quote,
		"digest":  digest,
		"base64":  func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) },
	}
	t, err := template.New(name).Funcs(functions).Option("missingkey=error").Parse(string(text))
	if err != nil {
		return "", fmt.Errorf("manifests: %w", err)
	}
	var out strings.Builder
	if err := t.Execute(&out, v); err != nil {
		return "", fmt.Errorf("manifests: %w", err)
	}
	return out.String(), nil
}

// indent indents each line that is not empty.
func indent(spaces int, text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = strings.Repeat(" ", spaces) + l
		}
	}
	return strings.Join(lines, "\n")
}

// digest identifies a text: pods with it in their template are recreated when the text changes.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

func quote(text string) (string, error) {
	b, err := json.Marshal(text)
	return string(b), err
}
