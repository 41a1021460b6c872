package guardrail

import (
	"errors"
	"maps"
	"slices"

	"coalmine/lab/guardrail/mapping"
)

// NameRule maps a name in the manifests to one of the lab.
type NameRule = mapping.Rule

// ParseNameRule parses NAME=SERVICE or NAMESPACE/NAME=SERVICE.
func ParseNameRule(text string) (NameRule, error) { return mapping.ParseRule(text) }

// withMapping reads the mapping of the manifests, and returns the files with the rules of the
// environment in it: a caller that parses them again plays the same.
func (c *checker) withMapping(files map[string][]byte) map[string][]byte {
	data, ok := files[mapping.FileName]
	if ok {
		rules, err := mapping.ParseFile(data)
		var wrong *mapping.FileError
		if errors.As(err, &wrong) {
			c.findings = append(c.findings, Finding{Position: Position{File: mapping.FileName, Line: wrong.Line},
				Field: wrong.Field, Message: Clip(wrong.Message), Hint: wrong.Hint})
			return files
		}
		c.rules = rules
		c.mappedBy = append(c.mappedBy, mapping.FileName)
	}
	if len(c.env.Map) == 0 {
		return files
	}
	c.rules = mapping.Merge(c.rules, c.env.Map)
	files = maps.Clone(files)
	if files == nil {
		files = map[string][]byte{}
	}
	files[mapping.FileName] = mapping.FormatFile(c.rules)
	c.mappedBy = append(c.mappedBy, mapping.FileName)
	return files
}

// mapNames maps the names in the documents to those of the lab, and returns the documents that are
// played.
func (c *checker) mapNames() []*document {
	_, played := c.applyMapping(c.env.lab())
	return played
}

// applyMapping maps the names in the documents to those of a lab.
func (c *checker) applyMapping(lab mapping.Lab) (*mapping.Result, []*document) {
	read := slices.Concat(c.found, c.workloads)
	docs := make([]*mapping.Document, len(read))
	of := make(map[*mapping.Document]*document, len(read))
	for i, d := range read {
		docs[i] = &mapping.Document{File: d.file, Root: d.root}
		of[docs[i]] = d
	}
	result := mapping.Map(docs, lab, c.rules)
	for _, d := range read {
		d.names = result.Names
	}
	for _, n := range result.Notes {
		c.addNote(of[n.Document], n)
	}
	for _, p := range result.LeftOut {
		of[p.Document].leftOut = append(of[p.Document].leftOut, p)
	}
	for _, target := range result.Targets {
		if !slices.Contains(c.env.Targets, target) {
			c.env.Targets = append(slices.Clip(c.env.Targets), target)
		}
	}
	for _, d := range result.Used {
		c.mappedBy = append(c.mappedBy, d.File)
	}
	var played []*document
	for i, d := range c.found {
		if docs[i].Aside == "" && !result.Failed() {
			played = append(played, d)
		}
	}
	return result, played
}

func (c *checker) addNote(d *document, n mapping.Note) {
	f := Finding{Position: Position{File: WholeSet}, Message: n.Message, Hint: n.Hint}
	if d != nil {
		f = Finding{Position: d.position(n.Field), Field: n.Field, Message: n.Message, Hint: n.Hint}
	}
	if n.Error {
		c.findings = append(c.findings, f)
		return
	}
	f.Severity, f.Rule = SeverityNote, n.Rule
	if n.Rule != "" {
		f.Severity = SeverityWarning
	}
	c.notes = append(c.notes, f)
}

// lab returns the names to which those of the manifests are mapped.
func (e Environment) lab() mapping.Lab {
	return mapping.Lab{Namespace: e.Namespace, Release: e.ReleaseTarget, Services: e.Targets, Clients: e.Clients,
		Ports: e.Ports, TargetPorts: e.TargetPorts, Latencies: e.Latencies, Cohorts: e.Cohorts,
		Horizon: e.Horizon}
}
