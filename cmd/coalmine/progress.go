package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// redrawEvery is the minimum time between two updates of the line on a terminal.
const redrawEvery = 100 * time.Millisecond

// progressLine shows the progress of a trial on stderr: one line that is updated on a terminal,
// else one line per finished run.
type progressLine struct {
	w        io.Writer
	terminal bool
	width    int
	now      func() time.Time

	mu    sync.Mutex
	done  int
	total int
	drawn time.Time
}

func newProgressLine(env *Env, total int) *progressLine {
	return &progressLine{w: env.Err, terminal: env.ErrTerminal, width: env.Width, now: env.Now, total: total}
}

// follow returns a log that writes to another one and updates the progress.
func (p *progressLine) follow(run folder.Run, to run.Log) run.Log {
	f := &progressLog{Log: to, progress: p, run: run}
	if p.terminal {
		f.soFar = new(timeline.Timeline)
	}
	return f
}

// progressLog is a run's log that reports to a progressLine.
type progressLog struct {
	run.Log
	progress *progressLine
	run      folder.Run

	at      time.Duration
	phase   string
	outcome string
	// soFar says what share of the traffic the release has; nil if the line is not shown.
	soFar *timeline.Timeline
}

func (f *progressLog) Write(e event.Event) {
	f.Log.Write(e)
	f.at = e.At
	if f.soFar != nil {
		f.soFar.Fold(e)
	}
	switch fact := e.Fact.(type) {
	case event.Canary:
		f.phase = fact.Phase
	case event.RunEnded:
		f.outcome = fact.Outcome
	}
	f.progress.show(f)
}

func (f *progressLog) Close() error {
	f.progress.finish(f)
	return f.Log.Close()
}

func (p *progressLine) show(f *progressLog) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal || p.now().Sub(p.drawn) < redrawEvery {
		return
	}
	p.drawn = p.now()
	line := fmt.Sprintf("%d of %d runs · %s seed %d at %s", p.done, p.total, f.run.Role, f.run.Seed, format.Clock(f.at))
	if f.phase != "" {
		line += fmt.Sprintf(" · %s, %d %%", f.phase, f.soFar.ShareAt(f.soFar.Last))
	}
	fmt.Fprint(p.w, "\r\x1b[K"+clip(line, p.width))
}

func (p *progressLine) finish(f *progressLog) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if p.terminal {
		return
	}
	line := fmt.Sprintf("%d of %d: %s seed %d %s at %s", p.done, p.total, f.run.Role, f.run.Seed, f.outcome,
		format.Clock(f.at))
	if f.phase != "" {
		line += ", canary " + f.phase
	}
	fmt.Fprintln(p.w, line)
}

// close clears the line.
func (p *progressLine) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// checkProgress shows the progress of the check seeds on stderr, as progressLine does for runs.
type checkProgress struct {
	progressLine
	passed int
}

func newCheckProgress(env *Env, total int) *checkProgress {
	return &checkProgress{progressLine: progressLine{w: env.Err, terminal: env.ErrTerminal, width: env.Width,
		total: total}}
}

// add counts a check seed.
func (p *checkProgress) add(s folder.CheckSeed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if s.Exit == score.ExitPassed {
		p.passed++
	}
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K"+clip(fmt.Sprintf("%d of %d check seeds · %d passed", p.done, p.total, p.passed),
			p.width))
		return
	}
	fmt.Fprintf(p.w, "check seed %d of %d: %d %s\n", p.done, p.total, s.Seed, s.Outcome)
}
