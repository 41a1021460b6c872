package main

import (
	"fmt"
	"io"
	"time"

	"coalmine/lab/cluster/kind/steps"
)

// upView tells on stderr how a bring-up goes: a line for each step that has ended, and on a terminal one that changes for the step
// under way.
type upView struct {
	w        io.Writer
	terminal bool
	width    int
	// names is the width of the longest name.
	names int
}

func newUpView(env *Env, steps []steps.Step) *upView {
	v := &upView{w: env.Err, terminal: env.ErrTerminal, width: env.Width}
	for _, s := range steps {
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
		what := p.Note
		if what == "" {
			what = p.Step.Title
		}
		v.clearLine()
		fmt.Fprint(v.w, clip(fmt.Sprintf("%-*s  %-7s  %6s  %s", v.names, p.Step.Name, "…", "", what), v.width))
	}
}

// clearLine takes the changing line away.
func (v *upView) clearLine() {
	if v.terminal {
		fmt.Fprint(v.w, "\r\x1b[K")
	}
}

func (v *upView) close() { v.clearLine() }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
