package guardrail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parse decodes and validates manifests, by path. It has no side effects: it sends no alerts,
// queries or webhooks. Documents of other kinds are left out. Its error is of type Errors; it comes
// with the set as far as it was read, which is not valid then but has notes.
func Parse(files map[string][]byte, env Environment) (*Set, error) {
	return parseInput(Input{Files: files}, env)
}

func parseInput(in Input, env Environment) (*Set, error) {
	c := &checker{env: env, origins: in.Origins, notes: slices.Clone(in.Notes), refused: map[objectKey]bool{}}
	files := c.withMapping(in.Files)
	c.read(files)
	c.check()
	set := &Set{Objects: c.objects(), Files: c.used(files), Environment: c.env, Notes: SortFindings(c.notes),
		Others: c.others}
	return set, asError(c.findings)
}

// Documents returns the documents of a YAML file without aliases, or an error of type Errors if it
// is not YAML or exceeds a limit.
func Documents(name string, data []byte) ([]*yaml.Node, error) {
	trees, findings := parseYAML(name, data, &budget{documents: MaxDocuments, nodes: MaxNodes})
	var documents []*yaml.Node
	for _, t := range trees {
		documents = append(documents, t.root)
	}
	return documents, asError(findings)
}

// used returns the files with guardrails in them, and those that say how their names are mapped.
func (c *checker) used(files map[string][]byte) map[string][]byte {
	used := make(map[string][]byte)
	for _, d := range c.docs {
		used[d.file] = files[d.file]
	}
	for _, file := range c.mappedBy {
		used[file] = files[file]
	}
	return used
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
