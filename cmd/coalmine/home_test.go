package main

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/progress"
	"coalmine/tui/backend"
	"coalmine/tui/liverun"
)

func TestEditorFromEnvironment(t *testing.T) {
	bin := t.TempDir()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	for _, name := range []string{"vim", "nano", "my-editor"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!"+sh+"\necho \"$0 $*\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(sh, filepath.Join(bin, "sh")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin) // no real editor may start
	for name, c := range map[string]struct {
		env  map[string]string
		line int
		want string
	}{
		"VISUAL first":        {map[string]string{"VISUAL": "my-editor", "EDITOR": "vim"}, 7, "my-editor FILE"},
		"a line":              {map[string]string{"EDITOR": "vim"}, 7, "vim +7 FILE"},
		"arguments":           {map[string]string{"EDITOR": "vim -R 'a b'"}, 7, "vim -R a b +7 FILE"},
		"blank":               {map[string]string{"VISUAL": " ", "EDITOR": "my-editor"}, 0, "my-editor FILE"},
		"none: one of a list": {nil, 3, "nano +3 FILE"},
	} {
		file := filepath.Join(t.TempDir(), "my canary.yaml")
		env := &Env{Getenv: func(k string) string { return c.env[k] }}
		cmd, err := homeEditor{env}.Edit(file, c.line)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := cmd.Output()
		if got := strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(string(out), bin+"/", ""), file,
			"FILE")); got != c.want {
			t.Errorf("%s: ran %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestNoEditor(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for value, want := range map[string]string{"": "no editor found: set EDITOR",
		"mine --wait": "EDITOR is \"mine --wait\", but there is no program mine"} {
		env := &Env{Getenv: func(k string) string { return map[string]string{"EDITOR": value}[k] }}
		if _, err := (homeEditor{env}).Edit("/a/canary.yaml", 0); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("EDITOR=%q: %v, want %q", value, err, want)
		}
	}
}

func TestWorkspacesAreNeverOverwritten(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{})
	l := homeLibrary{th.Env}
	w, err := l.Workspace("full-rollout")
	if err != nil || w.Exists || w.Dir != "full-rollout" {
		t.Fatalf("%+v, %v", w, err)
	}
	w, err = l.Start("full-rollout")
	if err != nil || !w.Exists || !slices.Equal(w.Files, []string{"canary.yaml", "metrics.yaml"}) {
		t.Fatalf("%+v, %v", w, err)
	}
	mine := filepath.Join(th.Dir, "full-rollout", "canary.yaml")
	if err := os.WriteFile(mine, []byte("mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(th.Dir, "full-rollout", ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(th.Dir, "full-rollout", ".git", "x.yaml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if w, err = l.Start("full-rollout"); err != nil || len(w.Files) != 2 {
		t.Errorf("%+v, %v", w, err)
	}
	if got, err := os.ReadFile(mine); err != nil || string(got) != "mine\n" {
		t.Errorf("the file has become %q, %v", got, err)
	}
	// A file in the way is reported; a scenario's own folder is left alone.
	if err := os.WriteFile(filepath.Join(th.Dir, "mtls-first"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start("mtls-first"); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("a file in the way: %v", err)
	}
	if err := writeFolder(filepath.Join(th.Dir, "hidden-segment"),
		map[string][]byte{scenario.FileScenario: nil}); err != nil {
		t.Fatal(err)
	}
	if w, err := l.Start("hidden-segment"); err != nil || w.Dir != "hidden-segment-guardrails" {
		t.Errorf("%+v, %v", w, err)
	}
}

// counting counts the runs that are really played.
type counting struct {
	run.Player
	played atomic.Int32
}

func (c *counting) Play(ctx context.Context, f cluster.RunSpec, sink func(event.Event)) error {
	c.played.Add(1)
	return c.Player.Play(ctx, f, sink)
}

// finish reads a feed to its end.
func finish(p *backend.RunningTrial) *liverun.Trial {
	for {
		b := p.Feed.Next()
		if b.Apply(); b.Last {
			return p.Trial
		}
	}
}

func TestComparisonRunsAreCached(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{})
	c := &counting{Player: th.Player}
	th.Player, th.CheckSeeds = c, 0
	p := newHomePlayer(th.Env)
	if _, err := (homeLibrary{th.Env}).Start("full-rollout"); err != nil {
		t.Fatal(err)
	}
	q := backend.PlayRequest{Scenario: "full-rollout", Guardrails: "full-rollout", Seed: 1, Trials: 2}
	var trials []*liverun.Trial
	for i, want := range []int32{8, 12} { // of each seed: faulty, healthy, unguarded, reference
		playing, err := p.Play(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		trials = append(trials, finish(playing))
		if got := c.played.Load(); got != want {
			t.Errorf("after trial %d, %d runs were played, want %d", i+1, got, want)
		}
	}
	p.wait()
	for i, r := range trials[0].Runs {
		again := trials[1].Runs[i]
		if !slices.EqualFunc(r.Rec.Events(), again.Rec.Events(), func(a, b event.Event) bool {
			return a.Seq == b.Seq && a.At == b.At && a.Fact.Kind() == b.Fact.Kind()
		}) {
			t.Errorf("%s is another run the second time", r.Name)
		}
	}
	logs := func(dir string) map[string]string {
		all := map[string]string{}
		names, err := filepath.Glob(filepath.Join(th.Dir, dir, "runs", "*", "events.jsonl"))
		if err != nil || len(names) != 8 {
			t.Fatalf("%s has the logs %v, %v", dir, names, err)
		}
		for _, name := range append(names, filepath.Join(th.Dir, dir, "card.json")) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			rel, _ := filepath.Rel(filepath.Join(th.Dir, dir), name)
			all[rel] = string(data)
		}
		return all
	}
	if a, b := logs("runs/full-rollout-1"), logs("runs/full-rollout-2"); !maps.Equal(a, b) {
		t.Error("the two run folders differ")
	}
}

func TestInvalidGuardrailsAreNotPlayed(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{})
	dir := filepath.Join(th.Dir, "full-rollout")
	if err := writeFolder(dir, map[string][]byte{"canary.yaml": []byte("kind: Canary\n")}); err != nil {
		t.Fatal(err)
	}
	all, err := homeLinter{th.Env}.Lint(t.Context(), "full-rollout", "full-rollout")
	if err != nil || len(all) == 0 || !all[0].Error || all[0].File != "canary.yaml" {
		t.Errorf("the linter says %+v, %v", all, err)
	}
	if _, err := newHomePlayer(th.Env).Play(t.Context(),
		backend.PlayRequest{Scenario: "full-rollout", Guardrails: "full-rollout", Seed: 1, Trials: 1}); err == nil {
		t.Error("it was played")
	}
	if _, err := os.Stat(filepath.Join(th.Dir, "runs")); err == nil {
		t.Error("a run folder was made")
	}
}

func TestLeavingInterruptsTheTrial(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{})
	p := newHomePlayer(th.Env)
	if _, err := (homeLibrary{th.Env}).Start("full-rollout"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q := backend.PlayRequest{Scenario: "full-rollout", Guardrails: "full-rollout", Seed: 1, Trials: 1}
	playing, err := p.Play(ctx, q)
	if err == nil {
		if tr := finish(playing); tr.Card != nil || tr.Problem == "" {
			t.Errorf("it has a card, or no problem: %+v", tr)
		}
	}
	p.wait()
	if playing, err = p.Play(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if finish(playing).Card == nil {
		t.Error("the next trial has no card")
	}
	p.wait()
}

func TestProgressWithoutAFolderIsANote(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{}) // its environment has neither HOME nor XDG_STATE_HOME
	p := homeProgress{th.Env}
	if e, note := p.RecordHints("full-rollout", 2); e.Hints != 2 ||
		!strings.Contains(note, "set XDG_STATE_HOME or HOME") {
		t.Errorf("%+v, %q", e, note)
	}
	th.Getenv = func(k string) string { return map[string]string{"XDG_STATE_HOME": filepath.Join(th.Dir, "state")}[k] }
	if e, note := p.RecordQuiz("full-rollout", 2, 3); e.QuizOf != 3 || note != "" {
		t.Errorf("%+v, %q", e, note)
	}
	if all, note := p.Load(); note != "" || all["full-rollout"] == (progress.Entry{}) {
		t.Errorf("%v, %q", all, note)
	}
}

// The screens say what lint says: a suppressed finding is none, and a note is no warning.
func TestHomeLintsAsLintDoes(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{})
	if _, err := (homeLibrary{th.Env}).Start("full-rollout"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(th.Dir, "full-rollout", "canary.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for comment, want := range map[string]bool{"": true, " # coalmine:ignore skip-analysis a trial of a day": false} {
		edited := strings.Replace(string(data), "\nspec:\n", "\nspec:\n  skipAnalysis: true"+comment+"\n", 1)
		if err := os.WriteFile(path, []byte(edited), 0o666); err != nil {
			t.Fatal(err)
		}
		all, err := homeLinter{th.Env}.Lint(t.Context(), "full-rollout", "full-rollout")
		if err != nil {
			t.Fatal(err)
		}
		found := slices.ContainsFunc(all, func(f backend.Finding) bool {
			return !f.Error && !f.Note && strings.Contains(f.Message, "spec.skipAnalysis")
		})
		if found != want {
			t.Errorf("with the comment %q: skip-analysis is found: %v; %+v", comment, found, all)
		}
	}
}
