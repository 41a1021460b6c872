package report_test

import (
	"bytes"
	"testing"

	"coalmine/lab/report"
	"coalmine/lab/report/model"
	"coalmine/lab/report/reporttest"
)

func written(t *testing.T, f report.Format, d *model.Trial) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, f, d, report.Options{}); err != nil {
		t.Fatalf("%s: %v", f, err)
	}
	return b.String()
}

// extension of a golden file.
func extension(f report.Format) string {
	switch f {
	case report.FormatText:
		return ".txt"
	case report.FormatJUnit:
		return ".xml"
	case report.FormatPostmortem:
		return ".postmortem.md"
	}
	return "." + string(f)
}

func TestFormats(t *testing.T) {
	for name, c := range map[string]struct {
		trial   *model.Trial
		formats []report.Format
	}{
		"trial-missed": {reporttest.Missed(), report.Formats()},
		"trial-caught": {reporttest.Caught(), []report.Format{report.FormatMarkdown, report.FormatPostmortem}},
		"trial-false-alarm": {reporttest.FalseAlarm(),
			[]report.Format{report.FormatMarkdown, report.FormatJUnit, report.FormatPostmortem}},
		"trial-single": {reporttest.Single(), []report.Format{report.FormatMarkdown, report.FormatJUnit,
			report.FormatPostmortem}},
		"trial-cut": {reporttest.Cut(), []report.Format{report.FormatMarkdown, report.FormatJUnit,
			report.FormatPostmortem}},
		"trial-empty": {reporttest.Trial(), []report.Format{report.FormatMarkdown, report.FormatHTML,
			report.FormatJUnit, report.FormatPostmortem}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range c.formats {
				golden(t, name+extension(f), written(t, f, c.trial))
			}
		})
	}
}

// TestFormatsAreReproducible also finds what depends on the order of a map.
func TestFormatsAreReproducible(t *testing.T) {
	for _, f := range report.Formats() {
		want := written(t, f, reporttest.Missed())
		for range 20 {
			if written(t, f, reporttest.Missed()) != want {
				t.Fatalf("%s: the same trial gives other bytes", f)
			}
		}
	}
}

func TestEveryFormatOfEveryTrial(t *testing.T) {
	trials := map[string]*model.Trial{"false alarm": reporttest.FalseAlarm(), "single": reporttest.Single(),
		"cut":   reporttest.Cut(),
		"empty": reporttest.Trial(), "hostile": reporttest.Hostile("<script>alert(1)</script>")}
	for name, d := range trials {
		for _, f := range report.Formats() {
			if written(t, f, d) == "" {
				t.Errorf("%s as %s is empty", name, f)
			}
		}
	}
}

func TestFormatsByName(t *testing.T) {
	for _, f := range report.Formats() {
		if got, err := report.ParseFormat(string(f)); got != f || err != nil {
			t.Errorf("%s is read as %q, %v", f, got, err)
		}
	}
	if _, err := report.ParseFormat("pdf"); err == nil {
		t.Error("there is a format pdf")
	}
}

func BenchmarkHTML(b *testing.B) {
	d := reporttest.Missed()
	for b.Loop() {
		var out bytes.Buffer
		if err := report.Write(&out, report.FormatHTML, d, report.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
