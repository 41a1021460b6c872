package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"coalmine/lab/guardrail"
	"coalmine/lab/run/evidence"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/result"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/lesson"
)

// lessonPlayer implements [lesson.Player].
type lessonPlayer struct {
	env        *Env
	course     *lesson.Course
	checkSeeds int
}

// Play implements [lesson.Player].
func (p *lessonPlayer) Play(ctx context.Context, play lesson.Play, files map[string][]byte, task, dir string) error {
	src, err := p.source(play.Scenario)
	if err != nil {
		return err
	}
	defer src.Close()
	t, err := p.plan(ctx, src, play, files, task)
	if err != nil {
		return err
	}
	t.Manifest.Started = p.env.Now().UTC().Truncate(time.Second)
	w, err := t.Create(dir)
	if err != nil {
		return err
	}
	defer w.Close()
	quiet := *p.env
	if !quiet.ErrTerminal {
		quiet.Err = io.Discard // a line for each run says little to a script
	}
	if err := quiet.playLesson(ctx, src, t, w); err != nil {
		return err
	}
	r, err := p.env.readResult(dir)
	if err != nil {
		return err
	}
	return result.Save(w, r)
}

func (env *Env) playLesson(ctx context.Context, src *trial.Source, t *trial.Trial, w *folder.Writer) error {
	played := env.play(ctx, t, w, false)
	p := newCheckProgress(env, t.Manifest.Options.CheckSeeds)
	defer p.close()
	_, err := env.conclude(ctx, src, t, w, played, p.add)
	return err
}

// source opens a scenario of the course, or of the library.
func (p *lessonPlayer) source(name string) (*trial.Source, error) {
	f, err := scenario.Open(p.course.Scenarios(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return p.env.openScenario(name)
	}
	if err != nil {
		return nil, err
	}
	s, err := f.Load()
	if err != nil {
		return nil, err
	}
	return &trial.Source{Folder: f, Scenario: s}, nil
}

func (p *lessonPlayer) plan(ctx context.Context, src *trial.Source, play lesson.Play, files map[string][]byte,
	task string) (*trial.Trial, error) {
	o := trial.Options{Guardrails: play.Guardrails, Base: p.env.Dir, Seed: max(1, play.Seed), Seeds: max(1, play.Seeds),
		Version: play.Version, Versions: p.env.Cluster.Describe().Versions}
	if play.Confirm {
		o.CheckSeeds = p.checkSeeds
	}
	if play.Approve != "" {
		d, err := time.ParseDuration(play.Approve)
		if err != nil {
			return nil, err
		}
		o.Approve = &d
	}
	if o.Guardrails == "" {
		o.Guardrails = task
	}
	if files == nil {
		return trial.New(ctx, src, o)
	}
	for i := range o.Seeds {
		o.SeedList = append(o.SeedList, o.Seed+uint64(i))
	}
	set, err := guardrail.Parse(files, guardrail.EnvironmentOf(src.Scenario))
	if err != nil {
		return nil, err
	}
	return trial.Plan(src, set, o)
}

// Start implements [lesson.Player].
func (p *lessonPlayer) Start(t lesson.Task) (made bool, err error) {
	if _, err := os.Lstat(p.env.path(t.Dir)); err == nil {
		return false, nil
	}
	src, err := p.source(t.Scenario)
	if err != nil {
		return false, err
	}
	defer src.Close()
	files, err := workspace(src, t.Scenario, t.Dir)
	if err != nil {
		return false, err
	}
	return true, writeFolder(p.env.path(t.Dir), files)
}

// Evidence implements [lesson.Player].
func (p *lessonPlayer) Evidence(run, dir string) ([]string, error) {
	t, err := p.env.readResult(run)
	if err != nil {
		return nil, err
	}
	return evidence.Write(run, dir, t, nil)
}
