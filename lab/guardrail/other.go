package guardrail

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// note adds a note about a field.
func (c *checker) note(d *document, field, message, hint string) {
	f := d.finding(field, message, hint)
	f.Severity = SeverityNote
	c.notes = append(c.notes, f)
}

// noteSet adds a note about the manifests as a whole.
func (c *checker) noteSet(message, hint string) {
	c.notes = append(c.notes, Finding{Position: Position{File: WholeSet}, Message: message, Hint: hint,
		Severity: SeverityNote})
}

// maxListed is the number of names that a note lists.
const maxListed = 6

// noteOthers adds one note about documents that were not read.
func (c *checker) noteOthers() {
	if n := len(c.others); n > 0 {
		c.noteSet(count(n, "document")+" of other kinds "+wasWere(n)+" not read: "+c.otherKinds(), "")
	}
	if n := len(c.templates); n > 0 {
		c.noteSet(count(n, "template")+" of Helm "+wasWere(n)+" not read: "+listNames(c.templates), renderHint)
	}
}

// otherKinds counts the kinds of other documents.
func (c *checker) otherKinds() string {
	counts := map[string]int{}
	for _, o := range c.others {
		counts[Clip(cmp.Or(o.Kind, "without a kind"))]++
	}
	return listCounts(counts)
}

const renderHint = "render the chart, and give the output: helm template NAME CHART | coalmine lint -"

// noteDropped adds one note about fields that only the server sets.
func (c *checker) noteDropped() {
	objects, fields := 0, map[string]bool{}
	for _, d := range c.docs {
		if len(d.dropped) > 0 {
			objects++
		}
		for _, name := range d.dropped {
			fields[Clip(name)] = true
		}
	}
	if objects > 0 {
		c.noteSet("fields that the server sets were dropped from "+count(objects, "object")+": "+
			listNames(slices.Sorted(maps.Keys(fields))), "")
	}
}

// nothingFound is the error about files without guardrails.
func (c *checker) nothingFound() Finding {
	f := Finding{Position: Position{File: WholeSet}, Message: "there are no manifests",
		Hint: "write a Canary to a file whose name ends in .yaml"}
	switch {
	case len(c.templates) > 0:
		f.Position = Position{File: c.templates[0]}
		f.Message, f.Hint = "is a template of Helm: "+listNames(c.templates), renderHint
	case len(c.others) > 0:
		f.Position = c.others[0].Source
		f.Message = "there are no guardrails among " + count(len(c.others), "document") + ": " + c.otherKinds()
		f.Hint = "give a folder with a Canary (" + kindNames() + " are read)"
	}
	return f
}

func kindNames() string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return strings.Join(slices.Compact(names), ", ")
}

// listCounts lists the counts by name, the largest first.
func listCounts(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", counts[name], name)
	}
	return listNames(names)
}

func listNames(names []string) string {
	if rest := len(names) - maxListed; rest > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), rest)
	}
	return strings.Join(names, ", ")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func wasWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// helmAction matches what templates of Helm have and queries of Flagger, which are templates too,
// have not.
var helmAction = regexp.MustCompile(
	`\{\{[^{}]*(\.(Values|Release|Chart|Capabilities|Files)\b|\b(include "|toYaml\b|nindent\b))`)

// isHelmTemplate reports whether a file is a template of Helm, which is not YAML yet.
func isHelmTemplate(data []byte) bool { return helmAction.Match(data) }
