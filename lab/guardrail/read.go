package guardrail

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/guardrail/mapping"
	"coalmine/lab/input/yamlpos"
)

// read decodes all files. What is wrong with one document does not hide the others.
func (c *checker) read(files map[string][]byte) {
	if !c.collect(files) {
		return
	}
	c.expandServerAuthorizations()
	for _, d := range c.mapNames() {
		if findings := d.decode(); len(findings) > 0 {
			c.refuse(d, findings...)
			continue
		}
		c.docs = append(c.docs, d)
	}
	c.noteOthers()
	c.noteDropped()
	if len(c.docs) == 0 && len(c.findings) == 0 {
		c.findings = append(c.findings, c.nothingFound())
	}
}

// collect parses all files, and returns false if there is too much in them.
func (c *checker) collect(files map[string][]byte) bool {
	if finding, ok := checkTotals(files); ok {
		c.findings = append(c.findings, finding)
		return false
	}
	b := &budget{documents: MaxDocuments, nodes: MaxNodes}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name != mapping.FileName {
			c.readFile(name, files[name], b)
		}
	}
	return true
}

func (c *checker) readFile(name string, data []byte, b *budget) {
	switch {
	case !isGraphic(name):
		c.findings = append(c.findings, Finding{Position: Position{File: name},
			Message: "the file's name has characters that cannot be shown", Hint: "rename it"})
		return
	case len(data) <= MaxFileSize && isHelmTemplate(data):
		c.templates = append(c.templates, name)
		return
	}
	trees, findings := parseYAML(name, data, b)
	c.findings = append(c.findings, findings...)
	for i, t := range trees {
		d := &document{file: name, root: t.root}
		if origins := c.origins[name]; i < len(origins) {
			d.origin = &origins[i]
		}
		c.readTree(d, t.findings)
	}
}

// readTree decodes a document, or the items of a List.
func (c *checker) readTree(d *document, problems []Finding) {
	apiVersion, kind := d.identity("apiVersion"), d.identity("kind")
	switch {
	case d.root.Kind != yaml.MappingNode || apiVersion == "" && kind == "":
		c.others = append(c.others, Other{Source: d.position("")})
	case strings.HasSuffix(kind, "List") && c.readItems(d, problems):
	case apiVersion == "" || kind == "":
		c.readUnidentified(d, apiVersion)
	default:
		c.readObject(d, apiVersion, kind, problems)
	}
}

// identity returns the text of apiVersion or kind, or "".
func (d *document) identity(field string) string {
	n, ok := d.child(field)
	if !ok || n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return ""
	}
	return n.Value
}

// readItems reads the items of a List, and reports whether there are any.
func (c *checker) readItems(d *document, problems []Finding) bool {
	items, ok := d.child("items")
	if !ok || items.Kind != yaml.SequenceNode {
		return false
	}
	for _, item := range items.Content {
		c.readTree(&document{file: d.file, root: item}, problems)
	}
	return true
}

// readUnidentified reports an object without its apiVersion or kind. Other files, such as the
// Chart.yaml of Helm, are none.
func (c *checker) readUnidentified(d *document, apiVersion string) {
	if !d.has("metadata") && !d.has("spec") {
		c.others = append(c.others, Other{APIVersion: apiVersion, Source: d.position("")})
		return
	}
	field := "kind"
	if apiVersion == "" {
		field = "apiVersion"
	}
	c.refuse(d, d.finding(field, "is missing or not a string", "write the object's "+field))
}

func (c *checker) readObject(d *document, apiVersion, name string, problems []Finding) {
	apiVersion = c.upgradeScaler(d, apiVersion, name)
	k, unknown := findKind(apiVersion, name)
	switch {
	case unknown != nil:
		c.refuse(d, d.finding(unknown.Field, unknown.Message, unknown.Hint))
		return
	case k == nil && name == kindServerAuthorization && group(apiVersion) == LinkerdGroup:
		c.serverAuthorizations = append(c.serverAuthorizations, d)
		return
	case k == nil:
		c.noteUnplayed(d, apiVersion, name)
		c.others = append(c.others, Other{APIVersion: apiVersion, Kind: name,
			Namespace: d.text("metadata", "namespace"), Name: d.text("metadata", "name"), Source: d.position("")})
		if name == "Deployment" {
			c.workloads = append(c.workloads, d)
		}
		return
	case len(problems) > 0:
		c.refuse(d, problems...)
		return
	}
	d.kind = *k
	c.found = append(c.found, d)
}

// refuse reports a document that could not be decoded. Others may refer to it.
func (c *checker) refuse(d *document, findings ...Finding) {
	c.findings = append(c.findings, findings...)
	c.refused[objectKey{d.identity("kind"), d.text("metadata", "name")}] = true
}

// text returns the text at the end of the steps, or "".
func (d *document) text(steps ...string) string {
	f, ok := yamlpos.Root(d.root).Find(steps...)
	if !ok || f.Value.Kind != yaml.ScalarNode {
		return ""
	}
	return f.Value.Value
}
