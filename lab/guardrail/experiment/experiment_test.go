package experiment_test

import (
	"strings"
	"testing"
	"time"

	"coalmine/lab/guardrail/experiment"
)

func TestWindow(t *testing.T) {
	played := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		start, end string
		want       time.Duration
		problem    string
	}{
		{"2026-03-02", "2026-03-06", 96 * time.Hour, ""},
		{"2026-03-04T09:00:00Z", "2026-03-04T17:00:00Z", 8 * time.Hour, ""},
		{" release ", "8h", 8 * time.Hour, ""},
		{"2026-03-02", "96h", 96 * time.Hour, ""},
		{"release", "2026-03-06", 0, "must be dates"},
		{"soon", "8h", 0, "must be dates"},
		{"2026-03-06", "2026-03-02", 0, "before it starts"},
		{"release", "-1h", 0, "before it starts"},
		{"2026-03-02", "2026-09-02", 0, "184 days"},
		{"2026-02-02", "2026-02-06", 0, "ended (2026-02-06) before the run"},
	} {
		got, problem := experiment.Window(c.start, c.end, played)
		if got != c.want || (problem == "") != (c.problem == "") || !strings.Contains(problem, c.problem) {
			t.Errorf("%q to %q is %v, %q; want %v, %q", c.start, c.end, got, problem, c.want, c.problem)
		}
	}
}
