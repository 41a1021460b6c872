// Package verify plays a recorded trial again and compares what happens with what was recorded.
// The sim is deterministic, so the same program gives the same bytes; only this proves that a run
// folder is what it claims to be.
package verify

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/input"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/result"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/scenarios"
)

// Options of a verification.
type Options struct {
	Player  run.Player
	Workers int
	// Binary names this program.
	Binary folder.Binary
}

// Result of a verification.
type Result struct {
	// Played is the program that recorded the trial.
	Played folder.Binary `json:"played_by"`
	// OtherVersion is set if that was another program than this one.
	OtherVersion bool  `json:"other_version"`
	Runs         []Run `json:"runs"`
	// Remarks are those of the card.
	Remarks []string `json:"remarks,omitempty"`
}

// Run is the comparison of one run.
type Run struct {
	Name string `json:"run"`
	// Identical is set if all bytes are the same. Otherwise Event is the first event that differs,
	// if the run was played again, and Reason says what differs or why it was not played.
	Identical bool   `json:"identical"`
	Event     int    `json:"event,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// Identical reports whether every run is.
func (r *Result) Identical() bool {
	for _, x := range r.Runs {
		if !x.Identical {
			return false
		}
	}
	return len(r.Runs) > 0
}

// Differs returns the first run that was played again and differs; ok is false if there is none.
func (r *Result) Differs() (first Run, ok bool) {
	for _, x := range r.Runs {
		if !x.Identical && x.Event > 0 {
			return x, true
		}
	}
	return Run{}, false
}

// Folder plays the runs of a run folder again.
func Folder(ctx context.Context, dir string, o Options) (*Result, error) {
	rec, err := result.Read(dir)
	if err != nil {
		return nil, err
	}
	v := &verifier{dir: dir, recording: rec, result: &Result{Remarks: rec.Card().Remarks}}
	if e := rec.Manifest.Evidence; e != nil {
		v.result.Played = e.Binary
	}
	v.result.OtherVersion = v.result.Played != o.Binary
	if err := v.plan(); err != nil {
		return nil, err
	}
	err = run.PlayAll(ctx, o.Player, v.specs, o.Workers, v.open)
	return v.result, err
}

// verifier plays runs again and compares each with its log.
type verifier struct {
	dir       string
	recording *result.Recording
	result    *Result

	specs []cluster.RunSpec
	index []int // of specs in the result's runs
	mu    sync.Mutex
}

// plan lists the runs that can be played again.
func (v *verifier) plan() error {
	s := v.recording.Scenario
	set, err := guardrail.Parse(v.recording.Guardrails, guardrail.EnvironmentOf(s))
	if err != nil {
		return err
	}
	reference := solution(s)
	approve := time.Duration(-1)
	if text := v.recording.Manifest.Options.Approve; text != "" {
		if approve, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("run.json: options.approve: %w", err)
		}
	}
	for _, l := range v.recording.Logs {
		if l.Timeline == nil && !errors.Is(l.Err, fs.ErrNotExist) {
			return input.New("", "%w", l.Err)
		}
		r := Run{Name: l.Run.Name()}
		spec := cluster.RunSpec{Scenario: s, Guardrails: set, Version: l.Run.Version, Seed: l.Run.Seed,
			ApproveAfter: approve}
		switch score.Role(l.Run.Role) {
		case score.RoleUnguarded:
			spec.Guardrails = nil
		case score.RoleReference:
			spec.Guardrails = reference
		}
		if r.Reason = cannotPlay(l, spec); r.Reason == "" {
			v.specs, v.index = append(v.specs, spec), append(v.index, len(v.result.Runs))
		}
		v.result.Runs = append(v.result.Runs, r)
	}
	return nil
}

// solution returns the solution of the library's scenario with the name of s, nil if there is none.
func solution(s *scenario.Scenario) *guardrail.Set {
	f, err := scenario.Open(scenarios.Library(), s.Name)
	if err != nil {
		return nil
	}
	files, err := f.Files(scenario.Solution)
	if err != nil {
		return nil
	}
	set, err := guardrail.Parse(files, guardrail.EnvironmentOf(s))
	if err != nil {
		return nil
	}
	return set
}

// simulated is the only cluster that repeats a run.
const simulated = "sim"

// cannotPlay says why a run cannot be played again, or "".
func cannotPlay(l result.Log, spec cluster.RunSpec) string {
	if l.Timeline == nil {
		return l.Err.Error()
	}
	started, end := l.Timeline.Run, l.Timeline.End.Outcome
	switch {
	case started.Cluster != simulated:
		return "it was played on the cluster " + started.Cluster + ", which does not repeat a run"
	case end != event.OutcomeCompleted && end != event.OutcomeNotReady:
		return "it was not played to its end"
	case started.GuardrailsDigest != spec.Guardrails.Digest():
		return "its guardrails are not in the folder, and not the solution in this library"
	}
	return ""
}

// open opens the recorded log of a run, to compare it with the one that is played.
func (v *verifier) open(i int) (run.Log, error) {
	at := v.index[i]
	f, err := os.Open(filepath.Join(v.dir, "runs", v.result.Runs[at].Name, "events.jsonl"))
	if err != nil {
		return nil, err
	}
	c := &comparison{recorded: bufio.NewReaderSize(f, 64<<10)}
	return &comparedLog{Writer: event.NewWriter(c), comparison: c, file: f, verifier: v, run: at}, nil
}

// comparedLog is the log of a run that is played again.
type comparedLog struct {
	*event.Writer
	comparison *comparison
	file       io.Closer
	verifier   *verifier
	run        int
}

// Close compares the end of the log and keeps the result.
func (l *comparedLog) Close() error {
	if err := l.Writer.Close(); err != nil {
		return err
	}
	l.comparison.end()
	l.verifier.mu.Lock()
	defer l.verifier.mu.Unlock()
	r := &l.verifier.result.Runs[l.run]
	r.Event = l.comparison.differs
	r.Identical = r.Event == 0
	if !r.Identical {
		r.Reason = fmt.Sprintf("event %d differs", r.Event)
	}
	return l.file.Close()
}

// comparison is a writer that compares what is written with a recorded log. It never fails.
type comparison struct {
	recorded *bufio.Reader
	partial  []byte
	line     int
	// differs is the first line that differs, 0 for none.
	differs int
}

// Write implements [io.Writer].
func (c *comparison) Write(p []byte) (int, error) {
	n := len(p)
	for c.differs == 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			c.partial = append(c.partial, p...)
			break
		}
		c.compare(append(c.partial, p[:i+1]...))
		c.partial, p = c.partial[:0], p[i+1:]
	}
	return n, nil
}

// compare compares a line with the next recorded one.
func (c *comparison) compare(played []byte) {
	c.line++
	for len(played) > 0 {
		part, err := c.recorded.Peek(min(len(played), c.recorded.Size()))
		if err != nil || !bytes.Equal(part, played[:len(part)]) {
			c.differs = c.line
			return
		}
		played = played[len(part):]
		_, _ = c.recorded.Discard(len(part)) // they were peeked
	}
}

// end finds what the recorded log has more.
func (c *comparison) end() {
	if _, err := c.recorded.Peek(1); c.differs == 0 && (err == nil || len(c.partial) > 0) {
		c.differs = c.line + 1
	}
}
