package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/findings"
	"coalmine/lab/guardrail/source"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/progress"
	"coalmine/lab/teaching/quiz"
	"coalmine/lab/verdict/score"
	"coalmine/tui/backend"
	"coalmine/tui/home"
)

// home shows the scenarios until the user leaves, and everything that is done with
// them.
func (env *Env) home(ctx context.Context) error {
	quiet := *env
	quiet.Err = io.Discard // the window owns the screen
	playing, stop := context.WithCancel(ctx)
	defer stop()
	p := newHomePlayer(&quiet)
	err := env.showScreen(ctx, home.New(playing, backend.Backend{
		Player: p, Linter: homeLinter{&quiet}, Editor: homeEditor{&quiet}, Library: homeLibrary{&quiet},
		Progress: homeProgress{&quiet}, Lessons: homeLessons{&quiet},
	}))
	stop()
	if last := p.wait(); last != "" {
		fmt.Fprintf(env.Err, "The last trial is recorded in %s. Show its report with: coalmine report %s\n", last,
			quoted(last))
	}
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return nil // ctrl+c loses nothing
	}
	return err
}

// homeLibrary implements [backend.Library] with all scenarios, and workspaces in the current folder.
type homeLibrary struct{ env *Env }

// Scenarios implements [backend.Library].
func (l homeLibrary) Scenarios() ([]*scenario.Scenario, error) {
	return l.env.shelves().List()
}

// Briefing implements [backend.Library].
func (l homeLibrary) Briefing(name string) (scenario.Briefing, error) {
	src, err := l.env.openScenario(name)
	if err != nil {
		return scenario.Briefing{}, err
	}
	defer src.Close()
	return src.Briefing()
}

// Quiz implements [backend.Library]. Each time the options have another order.
func (l homeLibrary) Quiz(name string) (*scenario.Quiz, error) {
	src, err := l.env.openScenario(name)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	q, err := src.Quiz()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return quiz.Shuffle(q, uint64(l.env.Now().UnixNano())), nil
}

// Workspace implements [backend.Library]: the folder has the scenario's name, as for start.
func (l homeLibrary) Workspace(name string) (backend.Workspace, error) {
	dir := name
	if _, err := os.Stat(filepath.Join(l.env.path(dir), scenario.FileScenario)); err == nil {
		dir += "-guardrails" // the program runs in a scenario library
	}
	w := backend.Workspace{Dir: dir}
	info, err := os.Stat(l.env.path(dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return w, nil
	case err != nil:
		return w, err
	case !info.IsDir():
		return w, fmt.Errorf("%s is not a folder: move it away, or run coalmine in another folder", dir)
	}
	w.Exists = true
	w.Files, err = manifestsIn(l.env.path(dir))
	return w, err
}

// Start implements [backend.Library].
func (l homeLibrary) Start(name string) (backend.Workspace, error) {
	w, err := l.Workspace(name)
	if err != nil || w.Exists {
		return w, err
	}
	src, err := l.env.openScenario(name)
	if err != nil {
		return w, err
	}
	defer src.Close()
	files, err := workspace(src, name, w.Dir)
	if err != nil {
		return w, err
	}
	if err := writeFolder(l.env.path(w.Dir), files); err != nil {
		return w, err
	}
	return l.Workspace(name)
}

// maxListed bounds the files that are listed. Package guardrail refuses more files too.
const maxListed = 100

// manifestsIn lists the files that package guardrail reads as manifests.
func manifestsIn(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != dir && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir() || len(names) >= maxListed:
			return nil
		}
		if slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(path))) {
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	return names, err
}

// homeLinter implements [backend.Linter].
type homeLinter struct{ env *Env }

// Lint implements [backend.Linter].
func (l homeLinter) Lint(ctx context.Context, scenario, dir string) ([]backend.Finding, error) {
	src, err := l.env.openScenario(scenario)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	set, err := source.Load(ctx, l.env.path(dir), guardrail.EnvironmentOf(src.Scenario), source.Options{})
	var wrong guardrail.Errors
	if err != nil && !errors.As(err, &wrong) {
		return nil, err
	}
	if set != nil {
		set.Environment.Now = l.env.Now()
	}
	return toFindings(findings.New(set, wrong, func(f guardrail.Finding) guardrail.Finding { return f })), nil
}

// toFindings lists what `coalmine lint` prints, in its order.
func toFindings(r findings.Report) []backend.Finding {
	var list []backend.Finding
	for _, f := range r.Active() {
		text := strings.TrimPrefix(f.String(), f.Position.String()+": ")
		list = append(list, backend.Finding{File: f.File, Line: f.Line, Message: text,
			Error: f.Severity == guardrail.SeverityError, Note: f.Severity == guardrail.SeverityNote})
	}
	return list
}

// homeProgress implements [backend.Progress] with the progress file.
type homeProgress struct{ env *Env }

// Load implements [backend.Progress].
func (p homeProgress) Load() (map[string]progress.Entry, string) {
	store, err := p.env.progressStore()
	if err != nil {
		return nil, err.Error()
	}
	all, err := store.Read()
	return all, message(err)
}

// RecordTrial implements [backend.Progress].
func (p homeProgress) RecordTrial(scenario string, c *score.Card) (progress.Entry, string) {
	if !conclusive(c) {
		all, note := p.Load()
		return all[scenario], note
	}
	return p.change(scenario, withTrial(c))
}

// RecordHints implements [backend.Progress].
func (p homeProgress) RecordHints(scenario string, hints int) (progress.Entry, string) {
	return p.change(scenario, withHints(hints))
}

// RecordQuiz implements [backend.Progress].
func (p homeProgress) RecordQuiz(scenario string, right, of int) (progress.Entry, string) {
	return p.change(scenario, withQuiz(right, of))
}

func (p homeProgress) change(scenario string, change func(*progress.Entry)) (progress.Entry, string) {
	store, err := p.env.progressStore()
	if err != nil {
		var e progress.Entry
		change(&e)
		return e, err.Error()
	}
	e, err := store.Update(scenario, change)
	return e, message(err)
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
