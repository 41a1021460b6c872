package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/scenarios"
)

// unseal makes a run folder one of a version without digests.
func unseal(t *testing.T, th *testEnv) {
	t.Helper()
	dir := filepath.Join(th.Dir, "result")
	editFile(t, filepath.Join(dir, "run.json"), func(data []byte) []byte {
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(m, func(k string, _ any) bool { return k == "evidence" })
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	})
	logs, err := filepath.Glob(filepath.Join(dir, "runs", "*", "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range logs {
		editFile(t, name, func(data []byte) []byte {
			return regexp.MustCompile(`,"(scenario|guardrails)_sha256":"[0-9a-f]*"`).ReplaceAll(data, nil)
		})
	}
}

func editFile(t *testing.T, name string, edit func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	edited := edit(data)
	if bytes.Equal(edited, data) {
		t.Fatalf("%s is unchanged", name)
	}
	if err := os.WriteFile(name, edited, 0o600); err != nil {
		t.Fatal(err)
	}
}

func replaceText(old, new string) func([]byte) []byte {
	return func(data []byte) []byte { return bytes.Replace(data, []byte(old), []byte(new), 1) }
}

const faultyLog = "runs/faulty-seed1/events.jsonl"

// Each test forges a run folder whose faulty release was missed.
func TestForgedFoldersAreRefused(t *testing.T) {
	copyLog := func(from, to string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(dir, "runs", from, "events.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "runs", to, "events.jsonl"), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	withoutEvidence := func(forge func(*testing.T, string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			forge(t, dir)
			editFile(t, filepath.Join(dir, "run.json"), func(data []byte) []byte {
				return regexp.MustCompile(`(?s),\s*"evidence": \{.*\n  \}`).ReplaceAll(data, nil)
			})
		}
	}
	edit := func(name, old, new string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { editFile(t, filepath.Join(dir, name), replaceText(old, new)) }
	}
	for name, c := range map[string]struct {
		forge func(t *testing.T, dir string)
		says  string
	}{
		"the solution's log": {copyLog("reference-seed1", "faulty-seed1"), "its digest is not that in run.json"},
		"the solution's log without evidence": {
			withoutEvidence(copyLog("reference-seed1", "faulty-seed1")),
			"with other guardrails than those in guardrails/",
		},
		"the log without guardrails": {
			withoutEvidence(copyLog("unguarded-seed1", "reference-seed1")), "in another role",
		},
		"the log of another role": {withoutEvidence(func(t *testing.T, dir string) {
			copyLog("healthy-seed1", "faulty-seed1")(t, dir)
			editFile(t, filepath.Join(dir, "run.json"), replaceText(`"version": "v2"`, `"version": "v3"`))
		}), "in another role"},
		"an edited log": {edit(faultyLog, `"Succeeded"`, `"Failed"`),
			"its digest is not that in run.json"},
		"an edited rubric": {edit("scenario/scenario.yaml", "points: 40", "points: 90"),
			"with another scenario than scenario/scenario.yaml"},
		"edited guardrails": {edit("guardrails/canary.yaml", "kind: Canary", "kind: Canary # mine"),
			"with other guardrails"},
		"guardrails taken away": {func(t *testing.T, dir string) {
			os.RemoveAll(filepath.Join(dir, "guardrails"))
		}, "with other guardrails"},
		// Small on disk, and gigabytes or minutes for a reader.
		"millions of cells": {withoutEvidence(edit(faultyLog, `"kind":"traffic"`,
			strings.Repeat("{},", 2_700_000)+`"kind":"traffic"`)), "a line with 2700"},
		"a log that is a link": {withoutEvidence(func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, faultyLog)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("../healthy-seed1/events.jsonl", filepath.Join(dir, faultyLog)); err != nil {
				t.Skip(err)
			}
		}), "is a symbolic link"},
		"thousands of cohorts": {withoutEvidence(edit(faultyLog, `"cells":[`,
			`"cells":[`+numbered(15_000, `{"cohort":"c%d","route":"r","n":1,"bad":1,"harm":1}`)+",")),
			"more than 1000 combinations"},
		"a reason of megabytes": {withoutEvidence(edit(faultyLog, `"outcome":"completed"`,
			`"outcome":"lab-fault","reason":"`+strings.Repeat("x", 2_000_000)+`"`)), "a fact of 2000"},
		"a digest that is none": {edit("run.json", `"scenario_sha256": "`, `"scenario_sha256": "x`),
			"is not a SHA-256 digest"},
	} {
		t.Run(name, func(t *testing.T) {
			th, first := played(t, &fakeCluster{careless: true})
			if first != score.ExitMissed {
				t.Fatalf("exit code %d", first)
			}
			c.forge(t, filepath.Join(th.Dir, "result"))
			var code int
			within(t, time.Minute, func() { code = th.run(t.Context(), "report", "result") })
			if code != score.ExitInvalid || !strings.Contains(th.err.String(), c.says) {
				t.Errorf("exit code %d, and it says %.500q; want %d and %q", code, &th.err, score.ExitInvalid, c.says)
			}
		})
	}
}

// The card in a folder is only a copy.
func TestReportIgnoresTheStoredCard(t *testing.T) {
	th, first := played(t, &fakeCluster{careless: true})
	editFile(t, filepath.Join(th.Dir, "result", "card.json"), replaceText("incident missed", "passed"))
	if code := th.run(t.Context(), "report", "result"); code != first ||
		!strings.Contains(th.out.String(), "INCIDENT MISSED") {
		t.Errorf("exit code %d\n%s", code, &th.out)
	}
}

func TestEditedScenarioIsNamedEverywhere(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{})
	th.forkScenario(t, "full-rollout", "forged", replaceText("points: 40", "points: 90"))
	if code := th.run(t.Context(), "run", "./forged", "-g", "naive", "--trials", "1", "-o", "result"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, &th.err)
	}
	const want = "not the library's scenario full-rollout"
	for _, format := range []string{"text", "json", "md", "html", "junit", "postmortem"} {
		th.run(t.Context(), "report", "result", "-f", format)
		if said := strings.Join(strings.Fields(strings.ReplaceAll(th.out.String(), "&#39;", "'")),
			" "); !strings.Contains(said, want) {
			t.Errorf("as %s it does not say %q:\n%s", format, want, said)
		}
	}
	th.run(t.Context(), "run", "full-rollout", "-g", "naive", "--trials", "1", "-o", "library")
	if strings.Contains(th.out.String(), want) {
		t.Errorf("the library's own scenario is called another:\n%s", &th.out)
	}
}

// forkScenario copies a scenario of the library to a folder and edits its description.
func (th *testEnv) forkScenario(t *testing.T, name, to string, edit func([]byte) []byte) {
	t.Helper()
	sub, err := fs.Sub(scenarios.Library(), name)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(th.Dir, to)
	if err := os.CopyFS(dir, sub); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, scenario.FileScenario)
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	editFile(t, file, edit)
}
