package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"coalmine/lab/guardrail"
	"coalmine/lab/run/evidence"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/result"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/lesson"
)

// lessonUI implements [lesson.UI] on the terminal, or on a pipe.
type lessonUI struct {
	env *Env
	out markdownWriter
	in  *bufio.Scanner
	// said has answers by STEP.QUESTION, which are not asked.
	said map[string]string
	// waits is set if somebody sits there and reads.
	waits bool
}

func newLessonUI(env *Env, said map[string]string) *lessonUI {
	return &lessonUI{env: env, out: env.markdownOut().laidOut(), in: bufio.NewScanner(env.In), said: said,
		waits: env.onTerminal() && len(said) == 0}
}

// Show implements [lesson.UI].
func (u *lessonUI) Show(text string) {
	u.out.markdown(strings.TrimSpace(text))
	fmt.Fprintln(u.out)
}

// Ask implements [lesson.UI]. An answer of the options counts once, so that one that cannot be read
// does not come again.
func (u *lessonUI) Ask(name, prompt string) (string, error) {
	if text, ok := u.said[name]; ok {
		delete(u.said, name)
		fmt.Fprintf(u.out, "%s = %s\n\n", name, text)
		return text, nil
	}
	fmt.Fprintf(u.out, "%s (%s) > ", name, prompt)
	line, ok := u.line()
	if !u.waits {
		fmt.Fprintln(u.out, line)
	}
	fmt.Fprintln(u.out)
	if !ok || line == "q" && u.waits {
		return "", lesson.ErrStop
	}
	return line, nil
}

func (u *lessonUI) line() (string, bool) {
	if !u.in.Scan() {
		return "", false
	}
	return strings.TrimSpace(u.in.Text()), true
}

// Pause implements [lesson.UI]. A pipe does not wait.
func (u *lessonUI) Pause(prompt string) error {
	if !u.waits {
		return nil
	}
	fmt.Fprintf(u.out, "── %s · q: leave ── ", prompt)
	line, ok := u.line()
	fmt.Fprintln(u.out)
	if !ok || line == "q" {
		return lesson.ErrStop
	}
	return nil
}

// next asks whether to go on with the next lesson. A pipe does not.
func (u *lessonUI) next(name string) bool {
	if !u.waits {
		return false
	}
	fmt.Fprintf(u.out, "── enter: leave · n: the next lesson, %s ── ", name)
	line, ok := u.line()
	fmt.Fprintln(u.out)
	return ok && line == "n"
}

// Work implements [lesson.UI].
func (u *lessonUI) Work(dir string) error {
	if !u.waits {
		return lesson.ErrStop
	}
	return u.Pause("change the files in " + dir + ", then enter: play")
}

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
