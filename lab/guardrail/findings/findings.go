// Package findings puts together what is found in manifests, leaves out what their authors have
// suppressed with a reason, and writes the rest for people and for tools.
package findings

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/lint"
)

// Finding is a finding, and whether it counts.
type Finding struct {
	guardrail.Finding
	// Reason is why the finding is suppressed, "" if it is not.
	Reason string
}

// Report is everything that was found in a folder of manifests.
type Report struct {
	// Findings are in order of file and line. Suppressed ones are among them.
	Findings []Finding
	// Objects is the number of objects that were checked.
	Objects int
}

// The rules of errors and notes that have no name of their own.
const (
	unnamedError = "invalid"
	unnamedNote  = "lab-note"
)

// New reports the errors that manifests were read with, and the notes and lint findings of the set
// as far as it was read, which may be nil. Comments in its files suppress notes and warnings. place
// completes the place of what is found in the set, whose files are relative to a folder.
func New(set *guardrail.Set, errs guardrail.Errors, place func(guardrail.Finding) guardrail.Finding) Report {
	var r Report
	if set != nil {
		r.Objects = len(set.Objects)
		r.add(set.Notes, unnamedNote)
		if len(errs) > 0 {
			r.add(lint.CheckPart(set), "")
		} else {
			r.add(lint.Check(set), "")
		}
		r.suppress(set, len(errs) == 0)
		for i := range r.Findings {
			r.Findings[i].Finding = place(r.Findings[i].Finding)
		}
	}
	r.add(errs, unnamedError)
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return r
}

func (r *Report) add(findings []guardrail.Finding, unnamed string) {
	for _, f := range findings {
		f.Rule = cmp.Or(f.Rule, unnamed)
		r.Findings = append(r.Findings, Finding{Finding: f})
	}
}

// Active returns the findings that are not suppressed.
func (r Report) Active() []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Reason != "" })
}

// Count returns the number of findings of a severity that are not suppressed.
func (r Report) Count(s guardrail.Severity) int {
	n := 0
	for _, f := range r.Active() {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Fails reports whether a finding is at least as bad as a severity.
func (r Report) Fails(limit guardrail.Severity) bool {
	return slices.ContainsFunc(r.Active(), func(f Finding) bool { return f.Severity <= limit })
}

// Severity returns the severity of a name.
func Severity(name string) (s guardrail.Severity, ok bool) {
	for _, s := range []guardrail.Severity{guardrail.SeverityError, guardrail.SeverityWarning, guardrail.SeverityNote} {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}

// Formats returns the names of the formats of [Report.Write].
func Formats() []string { return []string{"text", "json", "sarif", "github"} }

// Write writes the report in one of the formats. version is the program's.
func (r Report) Write(w io.Writer, format, version string) error {
	switch format {
	case "text":
		return r.text(w)
	case "json":
		return r.json(w, version)
	case "sarif":
		return r.sarif(w, version)
	case "github":
		return r.github(w)
	}
	return fmt.Errorf("there is no format %s; write one of %s", format, strings.Join(Formats(), ", "))
}

// place returns FILE:LINE:COL as far as it is known, as compilers print it.
func place(p guardrail.Position) string {
	s := p.String()
	if p.Line > 0 && p.Column > 0 {
		s += fmt.Sprintf(":%d", p.Column)
	}
	return s
}

// sentence returns the finding without its place.
func (f Finding) sentence() string {
	return strings.TrimPrefix(f.Finding.String(), f.Position.String()+": ")
}

// text writes one finding on a line, with the place first, so that editors can jump there, and the
// name of the rule last.
func (r Report) text(w io.Writer) error {
	for _, f := range r.Active() {
		_, err := fmt.Fprintf(w, "%s: %s: %s [%s]\n", place(f.Position), f.Severity, f.sentence(), f.Rule)
		if err != nil {
			return err
		}
	}
	return nil
}

// github writes workflow commands, which GitHub shows as annotations of the changed files.
// Source: docs.github.com, workflow commands for GitHub Actions; actions/toolkit, command.ts.
func (r Report) github(w io.Writer) error {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, f := range r.Active() {
		command := f.Severity.String()
		if f.Severity == guardrail.SeverityNote {
			command = "notice"
		}
		at := "file=" + property.Replace(f.File)
		if f.Line > 0 {
			at += fmt.Sprintf(",line=%d", f.Line)
		}
		if f.Column > 0 {
			at += fmt.Sprintf(",col=%d", f.Column)
		}
		_, err := fmt.Fprintf(w, "::%s %s,title=%s::%s\n", command, at, property.Replace(f.Rule),
			data.Replace(f.sentence()))
		if err != nil {
			return err
		}
	}
	return nil
}
