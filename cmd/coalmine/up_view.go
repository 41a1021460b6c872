package main

import (
	"fmt"
	"io"
	"time"

	"coalmine/lab/cluster/kind/steps"
)

// upView prints the progress of a bring-up to stderr: a line for each finished step and, on a
// terminal, a line that changes for the current step.
type upView struct {
	w        io.Writer
	terminal bool
	width    int
	// names is the width of the longest step name.
	names int
}

func newUpView(env *Env, list []steps.Step) *upView {
	v := &upView{w: env.Err, terminal: env.ErrTerminal, width: env.Width}
	for _, s := range list {
		v.names = max(v.names, len(s.Name))
	}
	return v
}

func (v *upView) report(p steps.Progress) {
	switch {
	case p.State != steps.Running:
		v.clearLine()
		fmt.Fprintf(v.w, "%-*s  %-7s  %6s  %s\n", v.names, p.Step.Name, p.State, seconds(p.Took), p.Step.Title)
	case v.terminal:
		text := p.Note
		if text == "" {
			text = p.Step.Title
		}
		v.clearLine()
		fmt.Fprint(v.w, clip(fmt.Sprintf("%-*s  %-7s  %6s  %s", v.names, p.Step.Name, "…", "", text), v.width))
	}
}

// clearLine erases the changing line.
func (v *upView) clearLine() {
	if v.terminal {
		fmt.Fprint(v.w, "\r\x1b[K")
	}
}

func (v *upView) close() { v.clearLine() }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
