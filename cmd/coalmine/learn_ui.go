package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/teaching/lesson"
)

// lessonUI implements [lesson.UI] on the terminal, or on a pipe.
type lessonUI struct {
	ctx context.Context
	env *Env
	out markdownWriter
	in  *bufio.Scanner
	// said has answers by STEP.QUESTION, which are not asked.
	said map[string]string
	// waits is set if somebody sits there and reads.
	waits bool
}

func newLessonUI(ctx context.Context, env *Env, said map[string]string) *lessonUI {
	return &lessonUI{ctx: ctx, env: env, out: env.markdownOut().laidOut(), in: bufio.NewScanner(env.In), said: said,
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
	if u.waits {
		return u.read(fmt.Sprintf("Your answer (%s · ?: help) > ", prompt), helpAnswer)
	}
	fmt.Fprintf(u.out, "%s (%s) > ", name, prompt)
	line, ok := u.line()
	fmt.Fprintf(u.out, "%s\n\n", line)
	if !ok {
		return "", lesson.ErrStop
	}
	return line, nil
}

// line reads a line; ok is false at the end of the input, and when the program is interrupted.
func (u *lessonUI) line() (line string, ok bool) {
	read := make(chan bool, 1)
	go func() { read <- u.in.Scan() }()
	select {
	case ok = <-read:
		return strings.TrimSpace(u.in.Text()), ok
	case <-u.ctx.Done():
		return "", false
	}
}

// What can be typed at a prompt.
const (
	wordLeave = "q"
	wordBack  = "back"
	wordHelp  = "?"
	// keyEscape is what a terminal sends for the key esc.
	keyEscape = "\x1b"

	helpEverywhere = "- **back** (or esc): read again what came before\n- **q**: leave; the lesson goes on here the " +
		"next time\n\nEach is a line: press enter after it."
	helpAnswer = "- an option: its letter, or its text\n- a number: 25, 25 % or 12 480; a time: 90s or 4m30s\n" +
		helpEverywhere
	helpPause = "- **enter**: go on\n" + helpEverywhere
)

// read reads a line of somebody who sits at the terminal. It answers the request for help itself.
func (u *lessonUI) read(prompt, help string) (string, error) {
	for {
		fmt.Fprint(u.out, prompt)
		line, ok := u.line()
		fmt.Fprintln(u.out)
		switch {
		case !ok, line == wordLeave:
			return "", lesson.ErrStop
		case line == wordBack, strings.HasPrefix(line, keyEscape):
			return "", lesson.ErrBack
		case line == wordHelp:
			u.Show(help)
		default:
			return line, nil
		}
	}
}

// Pause implements [lesson.UI]. A pipe does not wait.
func (u *lessonUI) Pause(prompt string) error {
	if !u.waits {
		return nil
	}
	_, err := u.pause(prompt, helpPause)
	return err
}

// pauseHere is Pause where nothing came before.
func (u *lessonUI) pauseHere(prompt string) error {
	err := lesson.ErrBack
	for errors.Is(err, lesson.ErrBack) {
		err = u.Pause(prompt)
	}
	return err
}

// pause waits for enter, or for one of some words.
func (u *lessonUI) pause(prompt, help string, words ...string) (string, error) {
	for {
		line, err := u.read(fmt.Sprintf("── enter: %s · ?: help · q: leave ── ", prompt), help)
		word, _, _ := strings.Cut(line, " ")
		if err != nil || line == "" || slices.Contains(words, word) {
			return line, err
		}
		u.Show(fmt.Sprintf("%q is not known here.\n\n%s", format.Clean(line), help))
	}
}

// Work implements [lesson.UI].
func (u *lessonUI) Work(t lesson.Task) error {
	if !u.waits {
		return lesson.ErrStop
	}
	files := u.manifests(t.Dir)
	help := "- **enter**: play the files in `" + t.Dir + "` (" + strings.Join(files, ", ") + ")\n- **t**: read the " +
		"task\n- **e FILE**: edit a file; e alone opens " + files[0] + "\n- **l**: lint the files\n" + helpEverywhere
	for {
		line, err := u.pause("play · t: task · e: edit · l: lint", help, "t", "e", "l")
		if err != nil || line == "" {
			return err
		}
		if err := u.work(line, t, files[0]); err != nil {
			u.Show(err.Error())
		}
	}
}

// manifests lists the files of a task.
func (u *lessonUI) manifests(dir string) []string {
	all, _ := filepath.Glob(filepath.Join(u.env.path(dir), "*.yaml"))
	for i, name := range all {
		all[i] = filepath.Base(name)
	}
	if len(all) == 0 {
		return []string{"canary.yaml"}
	}
	return all
}

// work does what was typed about the files of a task.
func (u *lessonUI) work(line string, t lesson.Task, first string) error {
	word, name, _ := strings.Cut(line, " ")
	switch word {
	case "t":
		text, err := os.ReadFile(filepath.Join(u.env.path(t.Dir), taskFile))
		if err == nil {
			u.Show(string(text))
		}
		return err
	case "e":
		cmd, err := homeEditor{u.env}.Edit(filepath.Join(t.Dir, filepath.Base(cmp.Or(name, first))), 0)
		if err != nil {
			return errors.New(strings.TrimSuffix(err.Error(), " and press r"))
		}
		return u.run(cmd)
	}
	program, err := programPath()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "lint", t.Dir, "--scenario", t.Scenario)
	cmd.Args[0] = "coalmine"
	cmd.Dir = u.env.path(".")
	var exit *exec.ExitError
	if err := u.run(cmd); err != nil && !errors.As(err, &exit) {
		return err
	}
	fmt.Fprintln(u.out)
	return nil // if it found something, it said so
}

// run runs a command on the terminal.
func (u *lessonUI) run(cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = u.env.In, u.env.Out, u.env.Err
	return cmd.Run()
}

// over waits at the end of a lesson. It returns the lesson that comes now, "" for none, and whether it
// starts over.
func (u *lessonUI) over(s *lesson.Session, next string) (name string, again bool) {
	if !u.waits {
		return "", false
	}
	prompt := "leave"
	switch {
	case !s.State.Complete:
		name, again, prompt = s.Lesson.Name, true, "answer again"
	case next != "":
		name, prompt = next, "the next lesson, "+next
	}
	for at := len(s.Lesson.Steps) - 1; ; at-- {
		err := u.Pause(prompt)
		if !errors.Is(err, lesson.ErrBack) {
			if err != nil {
				return "", false
			}
			return name, again
		}
		if err := s.Review(at); err != nil {
			u.Show(err.Error())
		}
	}
}
