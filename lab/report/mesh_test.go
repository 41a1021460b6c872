package report_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/report"
	"coalmine/lab/report/reporttest"
	"coalmine/lab/verdict/score"
)

// meshed tells of effects before the release and after it, on the canary and on a dependency.
func meshed(released time.Duration) []event.Mesh {
	effect := func(after time.Duration, again int) event.Mesh {
		at := event.Seconds(released + after)
		return event.Mesh{From: at, To: at + event.Seconds(2*time.Second), Cells: []event.MeshEffect{
			{Service: "checkout", Workload: "checkout", Version: "v2", Attempts: 150, Retried: again, Limited: 2},
			{Service: "checkout", Workload: "checkout-primary", Version: "v1", Attempts: 900},
			{Service: "stock", TimedOut: 7},
		}}
	}
	return []event.Mesh{effect(-10*time.Second, 49), effect(time.Second, 50)}
}

func TestEveryReportSaysWhatTheMeshDid(t *testing.T) {
	d := reporttest.Caught()
	for i := range d.Runs {
		if t := d.Runs[i].Timeline; d.Runs[i].Role == score.RoleFaulty {
			t.Mesh = meshed(t.Released.At)
		}
	}
	d = reporttest.Trial(d.Runs...)
	for format, want := range map[report.Format][]string{
		report.FormatText:     {"Mesh", "checkout v2", "50 (×1.50)", "stock, no pod"},
		report.FormatMarkdown: {"### What the mesh did in ", "checkout v2", "50 (×1.50)", "stock, no pod"},
		report.FormatHTML:     {`<section id="mesh">`, `<a href="#mesh">`, "50 (×1.50)"},
	} {
		got := strings.ReplaceAll(written(t, format, d), "\u00a0", " ")
		for _, text := range want {
			if !strings.Contains(got, text) {
				t.Errorf("%s lacks %q", format, text)
			}
		}
		if strings.Contains(got, "49 (") || strings.Contains(got, "checkout-primary v1") {
			t.Errorf("%s tells of what was before the release, or of a workload without effects", format)
		}
	}
	text, err := json.Marshal(d.Card)
	if err != nil || !strings.Contains(string(text), `"service":"checkout","workload":"checkout","version":"v2",`+
		`"attempts":150,"retried":50,"limited":2}`) {
		t.Errorf("JSON: %v", err)
	}
}

// Proxies do not count ejections.
func TestReportSaysWhoCountedWhatTheMeshDid(t *testing.T) {
	d := reporttest.Caught()
	for i := range d.Runs {
		t := d.Runs[i].Timeline
		t.Mesh = meshed(t.Released.At)
		for j := range t.Mesh {
			t.Mesh[j].ByProxies = true
		}
	}
	got := written(t, report.FormatText, reporttest.Trial(d.Runs...))
	if !strings.Contains(got, "as proxies count it") || !strings.Contains(got, "50 (×1.50)         0       –") {
		t.Errorf("the report is\n%s", got)
	}
}
