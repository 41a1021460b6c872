package guardrail

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Parse decodes and validates manifests, by path. It has no side effects: it sends no alerts,
// queries or webhooks. Its error is of type Errors.
func Parse(files map[string][]byte, env Environment) (*Set, error) {
	c := &checker{env: env}
	c.read(files)
	if len(c.findings) == 0 { // otherwise a missing object may be in a document that was not decoded
		c.check()
	}
	if err := asError(c.findings); err != nil {
		return nil, err
	}
	return &Set{Objects: c.objects(), Files: files, Environment: env}, nil
}

// read decodes all files.
func (c *checker) read(files map[string][]byte) {
	if finding, ok := checkTotals(files); ok {
		c.findings = append(c.findings, finding)
		return
	}
	b := &budget{documents: MaxDocuments, nodes: MaxNodes}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !isGraphic(name) {
			c.findings = append(c.findings, Finding{Position: Position{File: name},
				Message: "the file's name has characters that cannot be shown", Hint: "rename it"})
			continue
		}
		trees, findings := parseYAML(name, files[name], b)
		c.findings = append(c.findings, findings...)
		for _, tree := range trees {
			d, findings := decode(name, tree.Content[0])
			c.findings = append(c.findings, findings...)
			if d != nil {
				c.docs = append(c.docs, d)
			}
		}
	}
	if len(c.docs) == 0 && len(c.findings) == 0 {
		c.findings = append(c.findings, Finding{Position: Position{File: WholeSet}, Message: "there are no manifests",
			Hint: "write a Canary to a file whose name ends in .yaml"})
	}
}

// checkTotals checks the limits of all files together.
func checkTotals(files map[string][]byte) (Finding, bool) {
	total := 0
	for _, data := range files {
		total += len(data)
	}
	switch {
	case len(files) > MaxFiles:
		return tooMany(fmt.Sprintf("more than %d manifests", MaxFiles)), true
	case total > MaxTotalSize:
		return tooMany(fmt.Sprintf("the manifests are larger than %d bytes in total", MaxTotalSize)), true
	}
	return Finding{}, false
}

func tooMany(message string) Finding {
	return Finding{Position: Position{File: WholeSet}, Message: message, Hint: oneExercise}
}

// objects returns the decoded objects in the order in which they can be applied.
func (c *checker) objects() []Object {
	rank := make(map[string]int)
	for i, k := range kinds() {
		rank[k.name] = i
	}
	objects := make([]Object, len(c.docs))
	for i, d := range c.docs {
		objects[i] = d.object
	}
	slices.SortFunc(objects, func(a, b Object) int {
		return cmp.Or(cmp.Compare(rank[a.Kind], rank[b.Kind]), strings.Compare(a.Name, b.Name))
	})
	return objects
}
