package findings

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/lint"
)

// jsonReport is the report as JSON. Fields may be added; those that exist keep their meaning.
type jsonReport struct {
	Version    string        `json:"version"`
	Objects    int           `json:"objects"`
	Errors     int           `json:"errors"`
	Warnings   int           `json:"warnings"`
	Notes      int           `json:"notes"`
	Suppressed int           `json:"suppressed"`
	Findings   []jsonFinding `json:"findings"`
}

type jsonFinding struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Severity string `json:"severity"`
	Rule     string `json:"rule"`
	Field    string `json:"field,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
	// Suppressed is the reason that the manifest gives.
	Suppressed string `json:"suppressed,omitempty"`
}

func (r Report) json(w io.Writer, version string) error {
	all := jsonReport{
		Version: version, Objects: r.Objects, Errors: r.Count(guardrail.SeverityError),
		Warnings: r.Count(guardrail.SeverityWarning),
		Notes:    r.Count(guardrail.SeverityNote), Suppressed: len(r.Findings) - len(r.Active()),
		Findings: []jsonFinding{},
	}
	for _, f := range r.Findings {
		all.Findings = append(all.Findings, jsonFinding{
			File: f.File, Line: f.Line, Column: f.Column, Severity: f.Severity.String(), Rule: f.Rule, Field: f.Field,
			Message: f.Message, Hint: f.Hint, Suppressed: f.Reason,
		})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}

// sarif writes the report as SARIF 2.1.0, which code hosts show beside the code.
// Source: docs.oasis-open.org/sarif/sarif/v2.1.0.
func (r Report) sarif(w io.Writer, version string) error {
	run := sarif.NewRun().WithColumnKind("utf16CodeUnits")
	run.Tool = sarif.NewTool().WithDriver(sarif.NewToolComponent().WithName("coalmine").WithVersion(version))
	for _, rule := range lint.Rules() {
		run.AddRule(rule.Name).WithDescription(rule.What).
			WithMarkdownHelp(rule.Why + "\n\nSource: " + rule.Source + ". See docs/lint.md.").
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(rule.Severity.String()))
	}
	run.AddRule(unnamedError).WithDescription("The manifest is not valid.").
		WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel("error"))
	run.AddRule(unnamedNote).WithDescription("The lab plays the manifest otherwise than it is written.").
		WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel("note"))
	for _, f := range r.Findings {
		at := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation(f.uri()))
		if f.Line > 0 {
			region := sarif.NewRegion().WithStartLine(f.Line)
			if f.Column > 0 {
				region.WithStartColumn(f.Column)
			}
			at.WithRegion(region)
		}
		result := run.CreateResultForRule(f.Rule).WithLevel(f.Severity.String()).
			WithMessage(sarif.NewTextMessage(f.sentence())).
			AddLocation(sarif.NewLocationWithPhysicalLocation(at))
		if f.Reason != "" {
			result.AddSuppression(sarif.NewSuppression().WithKind("inSource").WithJustification(f.Reason))
		}
	}
	return sarif.NewReport().AddRun(run).PrettyWrite(w)
}

// uri returns the file as a relative URI.
func (f Finding) uri() string { return (&url.URL{Path: filepath.ToSlash(f.File)}).String() }
