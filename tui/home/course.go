package home

import (
	"errors"
	"os/exec"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/verdict/score"
)

// learnedMsg follows a lesson that took over the terminal, or could not.
type learnedMsg struct {
	home *Home
	name string
	err  error
}

// lessonMsg starts the lesson that comes next.
type lessonMsg struct {
	home *Home
	name string
	err  error
}

// learn goes on with the course.
func (h *Home) learn() tea.Cmd {
	lessons := h.backend.Lessons
	if lessons == nil {
		return nil
	}
	return func() tea.Msg {
		name, _, _, err := lessons.Next()
		return lessonMsg{h, name, err}
	}
}

// lead gives the terminal to a lesson.
func (h *Home) lead(m lessonMsg) tea.Cmd {
	if m.err != nil {
		h.note = m.err.Error()
		return nil
	}
	cmd, err := h.backend.Lessons.Learn(m.name)
	if err != nil {
		h.note = err.Error()
		return nil
	}
	return tea.ExecProcess(cmd, func(err error) tea.Msg { return learnedMsg{h, m.name, err} })
}

// learned shows the list again, with the progress as it is now. A lesson that is not over yet ends
// with an exit code, which is no problem.
func (h *Home) learned(m learnedMsg) tea.Cmd {
	if m.home != h {
		return nil
	}
	var exit *exec.ExitError
	if m.err != nil && !(errors.As(m.err, &exit) && exit.ExitCode() == score.ExitMissed) {
		return h.read("the lesson ended with an error: coalmine learn " + m.name + " shows it")
	}
	return h.Init()
}
