package result_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/input/digest"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/result"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	script "coalmine/lab/verdict/timelinetest"
	"coalmine/scenarios"
)

// write makes a run folder of full-rollout with the logs of some of the planned runs.
func write(t *testing.T, planned []folder.Run, logs map[string]*script.Script) string {
	t.Helper()
	return writeTrial(t, folder.Manifest{Runs: planned}, "", logs)
}

// writeTrial is write with a manifest, whose evidence is completed, and further items of the rubric.
func writeTrial(t *testing.T, m folder.Manifest, items string, logs map[string]*script.Script) string {
	t.Helper()
	planned := m.Runs
	src, err := scenario.Open(scenarios.Library(), "full-rollout")
	if err != nil {
		t.Fatal(err)
	}
	text, err := src.Text(scenario.FileScenario)
	if err != nil {
		t.Fatal(err)
	}
	// The logs have neither queries nor unguarded runs, and this test is not about the rubric.
	text = regexp.MustCompile(`(?m)^ *(minEvidence|essential): .*\n`).ReplaceAll(text, nil)
	text = regexp.MustCompile(`(?m)^    items:\n`).ReplaceAll(text, []byte("    items:\n"+items))
	dir := filepath.Join(t.TempDir(), "run")
	sealed := m.Evidence
	m.Scenario, m.Evidence = "segment", nil
	guardrails := map[string][]byte{"canary.yaml": []byte("kind: Canary\n")}
	w, err := folder.Create(dir, m, map[string][]byte{scenario.FileScenario: text}, guardrails)
	if err != nil {
		t.Fatal(err)
	}
	played, err := scenario.Load(os.DirFS(filepath.Join(dir, "scenario")), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range planned {
		s, ok := logs[r.Name()]
		if !ok {
			continue
		}
		log, err := w.Log(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Events() {
			if start, ok := e.Fact.(event.RunStarted); ok && sealed != nil {
				start.ScenarioDigest, start.GuardrailsDigest = played.Digest(), digest.Files(guardrails)
				e.Fact = start
			}
			log.Write(e)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if sealed != nil {
		if err := w.Seal(*sealed, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

var (
	faulty  = folder.Run{Role: "faulty", Seed: 1, Version: script.Version}
	second  = folder.Run{Role: "faulty", Seed: 2, Version: script.Version}
	healthy = folder.Run{Role: "healthy", Seed: 1, Version: script.Version}
	other   = folder.Run{Role: "other", Seed: 1, Version: script.Version}
)

func TestTrial(t *testing.T) {
	hurting := script.Ready("", 1, true)
	hurting.Fault = 0.5
	hurting.Release().Canary("Progressing", 50, 0).Traffic(30).Promote().Complete()
	for name, c := range map[string]struct {
		planned []folder.Run
		logs    map[string]*script.Script
		exit    int
		single  bool
		notes   string
	}{
		"one run": {[]folder.Run{faulty}, map[string]*script.Script{"faulty-seed1": script.RolledBack(1)},
			score.ExitPassed, true, ""},
		"one run of another version": {[]folder.Run{other},
			map[string]*script.Script{"other-seed1": script.Promoted("", 1)},
			score.ExitPassed, true, ""},
		"one run of another version that hurts users": {[]folder.Run{other},
			map[string]*script.Script{"other-seed1": hurting},
			score.ExitMissed, true, ""},
		"two seeds": {[]folder.Run{faulty, second},
			map[string]*script.Script{"faulty-seed1": script.RolledBack(1), "faulty-seed2": script.RolledBack(2)},
			score.ExitPassed, false, ""},
		"two seeds, one missing": {[]folder.Run{faulty, second},
			map[string]*script.Script{"faulty-seed1": script.RolledBack(1)},
			score.ExitInconclusive, false, "faulty-seed2 was not played; if those that were played pass, the trial " +
				"is inconclusive"},
		"a trial": {[]folder.Run{faulty, healthy},
			map[string]*script.Script{"faulty-seed1": script.RolledBack(1),
				"healthy-seed1": script.Promoted("healthy", 1)}, score.ExitPassed, false, ""},
		"a trial that was cut short": {[]folder.Run{faulty, healthy},
			map[string]*script.Script{"faulty-seed1": script.RolledBack(1)},
			score.ExitInconclusive, false, "healthy-seed1 was not played; if those that were played pass, the trial " +
				"is inconclusive"},
		"a trial that had missed already": {[]folder.Run{faulty, healthy},
			map[string]*script.Script{"faulty-seed1": script.Promoted("faulty", 1)},
			score.ExitMissed, false, "healthy-seed1 was not played; if those that were played pass, the trial is " +
				"inconclusive"},
	} {
		r, err := result.Read(write(t, c.planned, c.logs))
		if err != nil {
			t.Fatal(err)
		}
		tr, err := r.Trial()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if tr.Card.Exit != c.exit || (tr.Single != nil) != c.single || strings.Join(tr.Notes, "|") != c.notes {
			t.Errorf("%s: exit code %d (%s), single %v, notes %q, want %d, %v and %q", name,
				tr.Card.Exit, tr.Card.Reason, tr.Single != nil, tr.Notes, c.exit, c.single, c.notes)
		}
		if oneVersion := !slices.Contains(c.planned, healthy); (tr.Card.MaxPoints == 0) != oneVersion {
			t.Errorf("%s: %d points at most", name, tr.Card.MaxPoints)
		}
		if len(tr.Runs) != len(c.logs) {
			t.Errorf("%s: %d runs, want the %d that were played", name, len(tr.Runs), len(c.logs))
		}
	}
}

// An experiment is judged by the start of the trial, whether the evidence is there yet or not: a card
// during the trial is no milder than a later report.
func TestDatesOfAnExperiment(t *testing.T) {
	march := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) // the experiment ends on 2026-03-08
	for _, c := range []struct {
		started, sealed time.Time
		points          int
	}{
		{march, time.Time{}, 10}, {march.AddDate(0, 1, 0), time.Time{}, 0},
		{march, march.AddDate(0, 1, 0), 10}, {march.AddDate(0, 1, 0), march.AddDate(0, 1, 0), 0},
		{time.Time{}, march.AddDate(0, 1, 0), 0}, // a folder of an older version
	} {
		m := folder.Manifest{Started: c.started, Runs: []folder.Run{faulty, healthy}}
		if !c.sealed.IsZero() {
			m.Evidence = &folder.Evidence{Date: c.sealed}
		}
		r, err := result.Read(writeTrial(t, m, "      - {id: experiment-bounded, points: 10}\n",
			map[string]*script.Script{"faulty-seed1": script.RolledBack(1),
				"healthy-seed1": script.Promoted("healthy", 1)}))
		if err != nil {
			t.Fatal(err)
		}
		if item := r.Card().Items[0]; item.ID != "experiment-bounded" || item.Points != c.points {
			t.Errorf("started %v, sealed %v: %d points (%s), want %d", c.started, c.sealed, item.Points, item.Reason,
				c.points)
		}
	}
}

func TestNothingWasPlayed(t *testing.T) {
	r, err := result.Read(write(t, []folder.Run{faulty}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if tr, err := r.Trial(); err == nil || !strings.Contains(err.Error(), "no run was recorded") || len(tr.Notes) != 1 {
		t.Errorf("error %v, want that no run was recorded, and a note", err)
	}
}

func TestDamagedLogs(t *testing.T) {
	dir := write(t, []folder.Run{faulty}, map[string]*script.Script{"faulty-seed1": script.RolledBack(1)})
	name := filepath.Join(dir, "runs", "faulty-seed1", "events.jsonl")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		keep  int
		notes int
		err   bool
	}{{len(data), 0, false}, {len(data) - 5, 1, false}, {10, 1, true}} {
		if err := os.WriteFile(name, data[:c.keep], 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := result.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		tr, err := r.Trial()
		if (err != nil) != c.err || len(tr.Notes) != c.notes {
			t.Errorf("%d bytes: error %v, notes %q", c.keep, err, tr.Notes)
		}
		if damaged := c.keep < len(data); damaged != errors.Is(r.Logs[0].Err, folder.ErrCutOff) {
			t.Errorf("%d bytes: the log's error is %v", c.keep, r.Logs[0].Err)
		}
	}
}
