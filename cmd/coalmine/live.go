package main

import (
	"fmt"
	"io"
	"sync"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/kind"
	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/verdict/narrative"
	"coalmine/tui/recording"
)

// liveText prints the events of runs while they are played, a line for each, and what a run
// waits for.
type liveText struct {
	mu sync.Mutex
	w  io.Writer
}

// follow returns a log that writes to another one and tells a run's events.
func (l *liveText) follow(r folder.Run, spec cluster.RunSpec, to run.Log) run.Log {
	return &liveLog{Log: to, text: l, run: r, spec: spec, rec: recording.New()}
}

// liveLog is the log of one run.
type liveLog struct {
	run.Log
	text *liveText
	run  folder.Run
	spec cluster.RunSpec
	rec  *recording.Recording
	// told is the number of the last event that was told, harm that of the last one with harm.
	told, harm int
}

// Write implements [run.Log].
func (l *liveLog) Write(e event.Event) {
	l.Log.Write(e)
	l.rec.Append(e)
	if s, ok := e.Fact.(event.RunStarted); ok {
		l.say(e, starts(s))
	}
	l.tell()
	if s, ok := e.Fact.(event.Stage); ok {
		l.say(e, l.waitsFor(s.Name))
	}
}

// tell prints what is new. The last user hurt changes until the run has ended.
func (l *liveLog) tell() {
	told, harm := l.told, l.harm
	for _, n := range l.rec.Narrative() {
		isHarm := n.Kind == narrative.Harm
		lastHurt := isHarm && harm != 0 && n.Seq > harm
		if n.Seq <= told && !lastHurt || lastHurt && !l.rec.Complete() {
			continue
		}
		l.told = max(l.told, n.Seq)
		if isHarm {
			l.harm = n.Seq
		}
		l.say(event.Event{At: n.At}, n.Text)
		for _, q := range n.Quotes {
			l.say(event.Event{At: n.At}, "Flagger: "+q)
		}
	}
}

func (l *liveLog) say(e event.Event, text string) {
	if text == "" {
		return
	}
	l.text.mu.Lock()
	defer l.text.mu.Unlock()
	fmt.Fprintf(l.text.w, "%s seed %d  %s  %s\n", l.run.Role, l.run.Seed, format.Clock(e.At), text)
}

func starts(s event.RunStarted) string {
	text := fmt.Sprintf("starts on %s with version %s", s.Cluster, s.Version)
	if s.Cluster == kind.Name {
		text += "; services and traffic pods are made again first, which takes about half a minute"
	}
	return text
}

// waitsFor says what a stage waits for, "" for nothing.
func (l *liveLog) waitsFor(stage string) string {
	t := l.spec.Scenario.Timing
	switch {
	case stage == event.StagePrepare && l.spec.Guardrails != nil:
		return "waits for Flagger to initialize the canary, at most " + format.Duration(run.InitLimit(l.spec))
	case stage == event.StageBaseline:
		return fmt.Sprintf("waits %s while traffic meets the old version", format.Duration(t.Baseline))
	case stage == event.StageRollout && l.spec.Guardrails != nil:
		return "waits for the rollout to be decided; the run ends " + format.Duration(t.Horizon) + " after the release"
	case stage == event.StageRollout, stage == event.StageSettle:
		return "waits for the end of the run, " + format.Duration(t.Horizon) + " after the release"
	}
	return ""
}
